"""All checks in their order, and the archive of them that an owner sends when asking for help."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.assembly.places import journal_path
from edge.config import Config
from edge.doctor import bin as the_bin
from edge.doctor.finding import Check, Finding, Level, examine, failure
from edge.doctor.machine import Machine
from edge.doctor.redaction import hide
from edge.errors import SorterError, TryAgainError
from edge.files.database import is_claimed
from edge.files.whole_file import whole_file
from edge.host.installation import UNIT
from edge.host.kernel import ask

_LOG_LINES = 2000


def examinations(config: Config, path: Path | None) -> Iterator[Finding]:
    """Every finding, as soon as it is made: those that take long come last."""
    machine = Machine()
    folder = journal_path(config).parent
    yield from examine("software", the_bin.software)
    yield from examine("clock", machine.clock)
    yield from examine("temperature", machine.temperature)
    yield from examine("power", machine.power)
    yield from examine("memory", machine.memory)
    yield from examine("disk", lambda: machine.disk(folder))
    yield from examine("kept", lambda: the_bin.kept(config))
    yield from examine("writes", lambda: the_bin.writes(config))
    yield from examine("writes", machine.writes)
    yield from examine("wear", machine.wear)
    yield from examine("service", machine.service)
    yield from examine("config", lambda: the_bin.configuration(config, path))
    yield from examine("accelerator", the_bin.accelerator)
    yield from examine("model", lambda: the_bin.model(config))
    yield from examine("gpio", lambda: unless_in_use(config, "gpio", lambda: the_bin.lines(config)))
    yield from examine("broker", lambda: the_bin.broker(config))
    yield from examine("page", lambda: the_bin.page(config))
    yield from examine("camera", lambda: unless_in_use(config, "camera", lambda: the_bin.camera(config)))


def unless_in_use(config: Config, topic: str, check: Check) -> Iterator[Finding]:
    """What `check` finds; what it cannot have because the bin itself is at work with it is no failure.

    Raises:
        SorterError: as `check`, while no bin is at work here.
    """
    try:
        yield from check()
    except TryAgainError:
        if not (is_claimed(journal_path(config)) or ask("systemctl", "is-active", UNIT).strip() == "active"):
            raise
        advice = "to have it looked at, stop the bin first: sudo systemctl stop sorter"
        yield Finding(topic, Level.OK, "the bin that runs here is at work with it", advice)


def without_configuration(error: SorterError) -> Iterator[Finding]:
    """What can be said of a bin whose configuration cannot be read: all about the machine, and why."""
    machine = Machine()
    yield from examine("software", the_bin.software)
    checks = (machine.clock, machine.temperature, machine.power, machine.memory, machine.writes, machine.wear)
    for check in (*checks, machine.service):
        yield from examine(check.__name__, check)
    yield from examine("accelerator", the_bin.accelerator)
    yield failure("config", str(error), "sorter config validate names every mistake; mend it, then ask again")


def to_json(findings: Sequence[Finding]) -> dict[str, object]:
    """The object that `doctor --json` prints."""
    return {"schema": 1, "findings": [finding.to_json() for finding in findings]}


def pack(target: Path, findings: Sequence[Finding], config: Config) -> None:
    """Write a .tar.gz of the report, the settings (JSON) and the service's last lines of log, without their secrets.

    No picture is packed, no password and no name: whoever sends it shows nobody's waste.

    Raises:
        AccessDeniedError, StorageError: it cannot be written.
    """
    parts = {
        "doctor.json": json.dumps(to_json(findings), indent=2),
        "config.json": config.model_dump_json(indent=2, by_alias=True),
        "journal.txt": _log_of_service(),
    }
    with whole_file(target) as unfinished, tarfile.open(unfinished, "w:gz") as archive:
        for name, text in parts.items():
            content = hide(text, config).encode()
            entry = tarfile.TarInfo(f"sorter-doctor/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _log_of_service() -> str:
    return ask("journalctl", "-u", UNIT, "-n", str(_LOG_LINES), "--no-pager", "--no-hostname", "-o", "short-iso")
