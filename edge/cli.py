"""The `sorter` command: gathers every room's commands, and turns errors into a line and an exit code.

Rooms announce their commands as entry points of the group `sorter.commands`, so that edge imports no
room above it. Every module that defines commands is light: `sorter --help` loads them all.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import entry_points, version

import click

from edge.commands.options import verbosity
from edge.errors import SorterError

GROUP = "sorter.commands"
DISTRIBUTION = "edge-sorter"
INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BUG = SorterError.exit_code


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(DISTRIBUTION), prog_name="sorter")
def sorter() -> None:
    """Turn a camera and a small computer into a bin that sorts."""


def gather() -> None:
    """Add the commands of every installed room to the root command, once."""
    for entry_point in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        for command in entry_point.load():
            sorter.add_command(command)


def main() -> None:
    """Run the command line and end the process with the exit code that fits."""
    gather()
    sys.exit(_run())


def _run() -> int:
    try:
        status = sorter.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `sorter events | head` does: not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SorterError as error:
        return _complain(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: an owner sees a line, not a stack
        return _complain(f"this is a bug in sorter: {type(error).__name__}: {error} (run again with -vv)", BUG)
    return status if isinstance(status, int) else 0


def _complain(message: str, exit_code: int) -> int:
    if verbosity() >= 2:  # -vv, as the manual names it
        traceback.print_exc()
    click.echo(f"error: {message}", err=True)
    return exit_code
