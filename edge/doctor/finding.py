"""One line of a doctor's report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

from edge.errors import SorterError


class Level(StrEnum):
    """How bad it is: a failure keeps the bin from sorting, a warning will one day."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """`found` is what was measured, in words; `advice` what to do, empty where nothing needs to be done."""

    topic: str
    level: Level
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        """The object in `doctor --json`."""
        return {name: str(value) for name, value in asdict(self).items()}


# A check looks at one thing; what it cannot look at because it is not there, it passes over in silence.
Check = Callable[[], Iterable[Finding]]


def ok(topic: str, found: str) -> Finding:
    """All is well."""
    return Finding(topic, Level.OK, found)


def warning(topic: str, found: str, advice: str) -> Finding:
    """The bin works, but should be seen to."""
    return Finding(topic, Level.WARNING, found, advice)


def failure(topic: str, found: str, advice: str) -> Finding:
    """The bin cannot work so."""
    return Finding(topic, Level.FAILURE, found, advice)


def examine(topic: str, check: Check) -> Iterator[Finding]:
    """What `check` finds; an error it meets is a finding too, since its message says what to do."""
    try:
        yield from check()
    except SorterError as error:
        message = str(error)
        found, _, advice = message.partition(": " if ": " in message else "; ")
        yield failure(topic, found, advice or "see the line before")
    except OSError as error:
        yield failure(topic, f"{error.filename or topic}: {error.strerror}", "see that this user may read it")
