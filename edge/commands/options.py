"""Options that many commands share, and the verbosity of the process."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])

_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
_state = {"verbosity": 0}


def verbosity() -> int:
    """How much the user wants to know: -1 quiet, 0 normal, 1 with -v, 2 and more with -vv."""
    return _state["verbosity"]


def set_verbosity(value: int) -> None:
    """Say so much from now on; see `verbosity`."""
    _state["verbosity"] = value


def _set_verbosity(_context: click.Context, parameter: click.Parameter, value: int) -> None:
    _state["verbosity"] += -value if parameter.name == "quiet" else value
    level = _LEVELS[max(-1, min(2, verbosity()))]
    # On stderr always: stdout belongs to the command's own output.
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s", force=True)


# Not an argument of the command: it acts at once.
_APART: dict[str, Any] = {"expose_value": False, "callback": _set_verbosity}


def verbosity_options(command: Command) -> Command:
    """Add -v (repeatable) and -q."""
    told = click.option("-v", "--verbose", count=True, help="Say more; -vv with stack traces.", **_APART)
    quiet = click.option("-q", "--quiet", count=True, help="Say only errors.", **_APART)
    return told(quiet(command))


class FiniteRange(click.FloatRange):
    """A number within bounds; `nan`, which is beyond none of them, and `inf` are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        return number if math.isfinite(number) else self.fail(f"{value} is no finite number.", param, ctx)


def path_argument(name: str, *, many: bool = False) -> Callable[[Command], Command]:
    """A positional path, whose existence is checked where it is read, so that the error is ours."""
    return click.argument(name, type=click.Path(path_type=Path), nargs=-1 if many else 1, required=True)


bundle_option = click.option(
    "--bundle", type=click.Path(path_type=Path), help="Bundle directory; the shipped model by default."
)
site_option = click.option("--site", type=click.Path(path_type=Path), help="Site file of this bin.")
config_option = click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file.")
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Override one setting; repeatable."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output on stdout.")
