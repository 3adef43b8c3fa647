"""The `sorter` command: gathers every room's commands, and turns errors into a line and an exit code.

Rooms announce their commands as entry points of the group `sorter.commands`, so that edge imports no
room above it. Every module that defines commands is light: `sorter --help` loads them all.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from importlib.metadata import entry_points, version
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from click.shell_completion import shell_complete

from edge.commands.completion import VARIABLE
from edge.commands.options import verbosity
from edge.errors import (
    Extra,
    MissingLibraryError,
    OutOfMemoryError,
    SorterError,
    StorageError,
    UsageError,
    translate,
)
from edge.files.places import give_to_owner, state_folder

GROUP = "sorter.commands"
DISTRIBUTION = "edge-sorter"
_OPENCV_NO_MEMORY = -4  # cv::Error::StsNoMem
INTERRUPTED, TERMINATED = 130, 143  # 128 + SIGINT, 128 + SIGTERM, as shells report them

# What an install without an extra lacks, by the name it is imported under.
_EXTRA_OF_MODULE: dict[str, Extra] = {
    "keras": "workstation",
    "tensorflow": "workstation",
    "paho": "mqtt",
    "gpiozero": "gpio",
    "lgpio": "gpio",
    "starlette": "web",
    "uvicorn": "web",
    "cryptography": "signing",
}


_WITHOUT_VALUE = re.compile("--[a-z-]+=")
_MOST = 60  # signs, so that each command has one line of a terminal
# What the overview shows together, in the order in which a newcomer wants it.
SECTIONS = {
    "To begin with": ("demo", "try", "classify", "init", "doctor"),
    "The bin": ("run", "service", "events", "explain", "correct", "config", "actuators"),
    "Its place": ("calibrate", "teach"),
    "Its model": ("model", "benchmark"),
    "Models of your own": ("data", "train", "report", "compare", "average", "convert", "evaluate"),
    "Clips": ("record", "replay", "simulate"),
    "The Tab key": ("completion",),
}


class Overview(click.Group):
    """A group whose help shows its commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = self.list_commands(ctx)
        named = {name for names in SECTIONS.values() for name in names}
        others = tuple(name for name in known if name not in named)  # of an installed room that is not ours
        width = max(map(len, known), default=0)
        for title, names in {**SECTIONS, "Further": others}.items():
            lines = [
                (name.ljust(width), self.commands[name].get_short_help_str(_MOST)) for name in names if name in known
            ]
            if lines:
                with formatter.section(title):
                    formatter.write_dl(lines)


@click.group(cls=Overview, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(DISTRIBUTION), prog_name="sorter")
def sorter() -> None:
    """Turn a camera and a small computer into a bin that sorts.

    `sorter demo` shows it, `sorter COMMAND --help` tells all of a command.
    """


def gather() -> None:
    """Add the commands of every installed room to the root command, once."""
    for entry_point in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        for command in entry_point.load():
            sorter.add_command(command)


class Terminated(KeyboardInterrupt):
    """SIGTERM: it unwinds as Ctrl-C does, so that nothing is left half done."""


def main() -> None:
    """Run the command line and end the process with the exit code that fits."""
    signal.signal(signal.SIGTERM, _terminate)
    _open_standard_files()
    exit_code = _finish(_run(sys.argv[1:]))
    for number in (signal.SIGINT, signal.SIGTERM):  # the interpreter's own end has nothing to tell of them
        signal.signal(number, signal.SIG_DFL)
    sys.exit(exit_code)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _open_standard_files() -> None:
    """Put /dev/null where a standard file is closed: the next file opened would take its number, and its output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It takes the lowest number that is free: its own.
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process


def _run(arguments: list[str]) -> int:
    try:
        _invoke(arguments)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as stopped:
        return _tell_stopped(stopped)
    except BrokenPipeError:
        # The reader of our output has gone, as `sorter events | head` does: not an error.
        return _give_up_output()
    except Exception as error:  # noqa: BLE001 - the last resort: an owner sees a line, not a stack
        return _complain(_as_ours(error))
    return 0


def _tell_stopped(stopped: BaseException) -> int:
    if isinstance(stopped.__context__, EOFError):
        return _complain(UsageError("the answers ended before the questions: answer all of them, or use --yes"))
    click.echo("stopped", err=True)
    return TERMINATED if isinstance(stopped, Terminated) else INTERRUPTED


def _as_ours(error: Exception) -> SorterError:
    """The error of this project that an owner is told of."""
    match error:
        case SorterError():
            return error
        case ModuleNotFoundError():
            return _missing_library((error.name or "").partition(".")[0])
        case _ if isinstance(error, MemoryError) or _is_opencv_without_memory(error):
            return OutOfMemoryError(
                f"the computer has no memory left ({str(error).strip() or 'none was told'}): "
                "`sorter doctor` says how much there is; end other programs, or take smaller pictures"
            )
        case OSError():
            return translate(error)  # what no room has translated is the machine's doing, not a bug
        case _:
            return SorterError(f"this is a bug in sorter: {type(error).__name__}: {error} (run again with -vv)")


def _is_opencv_without_memory(error: Exception) -> bool:
    """Told by its name, since OpenCV is loaded by few commands."""
    return type(error).__module__ == "cv2" and getattr(error, "code", None) == _OPENCV_NO_MEMORY


def _invoke(arguments: list[str]) -> None:
    """As click's own main() does, but without its turning every broken pipe into exit code 1."""
    gather()
    # A path that is empty would be the current folder, and `train ""` would learn what lies there.
    if any(argument == "" or _WITHOUT_VALUE.fullmatch(argument) for argument in arguments):
        raise UsageError("an argument is empty: leave it out, or give the shell variable that it stands for a value")
    if instruction := os.environ.get(VARIABLE):
        raise click.exceptions.Exit(shell_complete(sorter, {}, "sorter", VARIABLE, instruction))
    try:
        with sorter.make_context("sorter", arguments) as context:
            sorter.invoke(context)
    finally:
        give_to_owner(state_folder())


def _finish(exit_code: int) -> int:
    """Write out what is still buffered; a full disk shows only now."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return exit_code or _give_up_output()
    except OSError as error:
        _give_up_output()
        return exit_code or _complain(StorageError(f"cannot write the output: {error.strerror}"))
    return exit_code


def _give_up_output() -> int:
    """Send what is left to /dev/null, or the interpreter would complain of it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _missing_library(name: str) -> MissingLibraryError:
    if name not in _EXTRA_OF_MODULE:
        return MissingLibraryError(f"{name} is not installed: install sorter again")
    return MissingLibraryError.of_extra("this command", name, _EXTRA_OF_MODULE[name])


def _complain(error: SorterError) -> int:
    if verbosity() >= 2:  # -vv, as the manual names it
        traceback.print_exc()
    click.echo(f"error: {error}", err=True)
    return error.exit_code
