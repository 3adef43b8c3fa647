"""Making a service of the bin, and unmaking it: files with their content, and the commands that follow them.

Everything is decided before anything is done: a Plan is a list of steps that can be shown (`--dry-run`),
carried out again without harm, and undone.
"""

from __future__ import annotations

import logging
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import AccessDeniedError, MissingInputError, StorageError, UnavailableError
from edge.files.whole_file import replacing

log = logging.getLogger(__name__)

UNIT = "sorter.service"
USER = "sorter"
# Where the shipped unit runs the program from; an install writes its own place instead.
_SHIPPED_PROGRAM = "/opt/sorter/bin/sorter"
_HOME = Path("/home")
_COMMAND_TIMEOUT_S = 90.0

FIRST_CONFIG = """\
# The bin's configuration. `sorter config validate` checks it, `sorter config schema` tells all that can be set.
schema = 1

[device]
id = "bin"

# Rendered items, until there is a camera: "usb", "csi" or "stream".
[camera]
backend = "simulated"
num_items = 100000
"""


@dataclass(frozen=True, slots=True)
class FileStep:
    """A file with its content. One that is `kept` belongs to the owner once it is there."""

    path: Path
    content: str
    is_kept: bool = False

    @property
    def is_done(self) -> bool:
        """Nothing needs to be written."""
        return self.path.exists() and (self.is_kept or self.path.read_text(encoding="utf-8") == self.content)

    def __str__(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True)
class CommandStep:
    """A command that may be repeated without harm."""

    arguments: tuple[str, ...]
    may_fail: bool = False

    def __str__(self) -> str:
        return f"run {' '.join(self.arguments)}"


@dataclass(frozen=True, slots=True)
class RemoveStep:
    """A file or folder that goes."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"


Step = FileStep | CommandStep | RemoveStep


def shipped_folder() -> Path:
    """The folder `systemd/` with the unit: inside the installed package, or beside it in a checkout.

    Raises:
        MissingInputError: this install has none.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "systemd", package.parent / "systemd"):
        if (folder / UNIT).is_file():
            return folder
    raise MissingInputError(f"{UNIT} did not come with this install: install sorter again")


def plan_install(program: Path, root: Path = Path("/"), *, is_started: bool = True) -> list[Step]:
    """What makes `program` (the installed `sorter`) start with the device.

    With another `root` the files go below it, for an image that will boot later, and no command runs.

    Raises:
        MissingInputError: the shipped unit is missing.
        AccessDeniedError: the service's user could not reach `program`.
    """
    shipped = shipped_folder()
    unit = _unit_for(program, (shipped / UNIT).read_text(encoding="utf-8"))
    steps: list[Step] = [
        FileStep(path, content)
        for path, content in (
            (_users(root), (shipped / "sorter.sysusers").read_text(encoding="utf-8")),
            (_rules(root), (shipped / "60-sorter.rules").read_text(encoding="utf-8")),
            (_unit(root), unit),
        )
    ]
    config = root / "etc/sorter/sorter.toml"
    steps.append(FileStep(config, FIRST_CONFIG, is_kept=True))
    if root != Path("/"):
        return steps
    _check_is_open_to_all(program)
    steps.append(CommandStep(("systemd-sysusers", str(_users(root)))))
    # It may hold the broker's password.
    steps += [CommandStep(("chgrp", USER, str(config))), CommandStep(("chmod", "640", str(config)))]
    if is_booted():
        steps += [
            CommandStep(("udevadm", "control", "--reload"), may_fail=True),
            CommandStep(("udevadm", "trigger", "--subsystem-match=usb", "--subsystem-match=gpio"), may_fail=True),
            CommandStep(("systemctl", "daemon-reload")),
            CommandStep(("systemctl", "enable", UNIT)),
        ]
        if is_started:
            is_changed = any(isinstance(step, FileStep) and not step.is_done for step in steps)
            steps.append(CommandStep(("systemctl", "restart" if is_changed else "start", UNIT)))
    return steps


def plan_uninstall(root: Path = Path("/"), *, is_purged: bool = False) -> list[Step]:
    """What takes the service away again; configuration and decisions stay unless `is_purged`."""
    steps: list[Step] = []
    if root == Path("/") and is_booted() and _unit(root).exists():
        steps.append(CommandStep(("systemctl", "disable", "--now", UNIT), may_fail=True))
    steps += [RemoveStep(path) for path in (_unit(root), _rules(root), _users(root)) if path.exists()]
    if is_purged:
        kept = [root / name for name in ("etc/sorter", "var/lib/sorter", "var/cache/sorter")]
        steps += [RemoveStep(path) for path in kept if path.exists()]
    if root != Path("/"):
        return steps
    if is_booted():
        steps.append(CommandStep(("systemctl", "daemon-reload")))
        steps.append(CommandStep(("udevadm", "control", "--reload"), may_fail=True))
    if is_purged and _has_user():
        steps.append(CommandStep(("userdel", USER)))
    return steps


def carry_out(steps: Sequence[Step]) -> Iterator[str]:
    """Do each step in turn, and tell of those that changed something.

    Raises:
        AccessDeniedError: this needs root.
        StorageError: a file cannot be written.
        UnavailableError: a command failed.
    """
    for step in steps:
        match step:
            case FileStep():
                if step.is_done:
                    continue
                _write(step)
            case RemoveStep():
                _remove(step.path)
            case CommandStep():
                _run(step)
        yield str(step)


def is_booted() -> bool:
    """Whether systemd runs this machine, sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def _unit_for(program: Path, shipped: str) -> str:
    unit = shipped.replace(_SHIPPED_PROGRAM, str(program))
    return unit.replace("ProtectHome=yes", "ProtectHome=read-only") if _HOME in program.parents else unit


def _check_is_open_to_all(program: Path) -> None:
    for folder in program.parents:
        if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
            raise AccessDeniedError(
                f"{program}: the service's own user may not enter {folder}; install sorter into /opt/sorter instead: "
                "python3 -m venv /opt/sorter && /opt/sorter/bin/pip install '.[device]'"
            )


def _unit(root: Path) -> Path:
    return root / "etc/systemd/system" / UNIT


def _rules(root: Path) -> Path:
    return root / "etc/udev/rules.d/60-sorter.rules"


def _users(root: Path) -> Path:
    return root / "etc/sysusers.d/sorter.conf"


def _has_user() -> bool:
    return any(line.startswith(f"{USER}:") for line in Path("/etc/passwd").read_text(encoding="utf-8").splitlines())


def _write(step: FileStep) -> None:
    try:
        step.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(step.path) as unfinished:
            unfinished.write_text(step.content, encoding="utf-8")
    except PermissionError as error:
        raise AccessDeniedError(
            f"{step.path}: a service needs root: sudo {shutil.which('sorter') or 'sorter'} …"
        ) from error
    except OSError as error:
        raise StorageError(f"cannot write {step.path}: {error.strerror}") from error


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except PermissionError as error:
        raise AccessDeniedError(f"{path}: taking a service away needs root") from error
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error


def _run(step: CommandStep) -> None:
    program = shutil.which(step.arguments[0])
    if program is None:
        if step.may_fail:
            return
        raise UnavailableError(f"{step.arguments[0]} is not installed: a service needs systemd")
    try:
        answer = subprocess.run(  # noqa: S603 - this module's own words
            [program, *step.arguments[1:]], capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{step}: no end within {_COMMAND_TIMEOUT_S:g} s") from error
    if answer.returncode and not step.may_fail:
        raise UnavailableError(f"{step}: {answer.stderr.strip() or f'exit code {answer.returncode}'}")
