"""A model that is asked for while the bin runs: fetched and checked in a process of its own, then on trial."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.addresses import without_secrets
from edge.errors import SorterError, UnavailableError, UsageError
from edge.journal import Entry
from edge.models.install_worker import Errand, Said
from edge.models.shadow import begin_shadow
from edge.models.store import ModelStore, Role
from edge.models.trial import begin_trial
from edge.publishers.commands import InstallFrom

_log = logging.getLogger(__name__)

# 200 MB over a line of half a megabit a second; whatever drips slower is given up.
_MAX_S = 3600.0


class Stage(StrEnum):
    """How far an installation is."""

    DOWNLOADING = "downloading"
    INSTALLED = "installed"
    FAILED = "failed"


class InstallReport(BaseModel):
    """What is told of an installation; `source` is without what may be secret in an address."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(default=1, alias="schema")
    stage: Stage
    source: str
    percent: int | None = None
    model: str | None = None
    error: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self.stage is not Stage.DOWNLOADING

    def to_json(self) -> str:
        """One line, without what is not known."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which models are taken: into `store`; `is_fixed` when the configuration names the model that runs.

    With `has_stand_in` another model runs than the active one, which is damaged.
    """

    store: ModelStore
    is_fixed: bool
    has_stand_in: bool = False


class RemoteInstaller:
    """Installs one model at a time. `ask` and `stop` never wait for the web; `report` is called from any thread.

    `before` gives the latest decisions, against which a new model is on trial; `on_change` asks for a reload.
    """

    def __init__(
        self,
        terms: Terms,
        before: Callable[[], list[Entry]],
        report: Callable[[InstallReport], None],
        on_change: Callable[[], None],
    ) -> None:
        self._terms = terms
        self._before = before
        self._report = report
        self._on_change = on_change
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._is_busy = False
        self._is_stopping = False

    def ask(self, wanted: InstallFrom) -> None:
        """Begin with it, or say why not."""
        try:
            self._check(wanted)
        except SorterError as error:
            self._tell(_failed(wanted, str(error)))
            return
        _log.warning("installing the model at %s", without_secrets(wanted.url))
        self._is_busy = True
        self._thread = threading.Thread(target=self._install, args=(wanted,), name="install", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Give up what is under way; what has come of it waits for the next time it is asked for."""
        self._is_stopping = True
        if (process := self._process) is not None:
            process.kill()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _check(self, wanted: InstallFrom) -> None:
        if self._terms.is_fixed:
            raise UsageError("model.bundle in the configuration names the model that runs: take it out first")
        if wanted.sha256 is None and self._terms.store.public_key is None:
            raise UsageError("expected the sha256 of the file, or model.public_key in the configuration; found neither")
        if self._is_busy:
            raise UnavailableError("another installation is under way; ask again when it has ended")

    def _install(self, wanted: InstallFrom) -> None:
        is_new = False
        try:
            name = self._bring(wanted)
            is_new = self._begin(wanted, name)
            report = InstallReport(stage=Stage.INSTALLED, source=without_secrets(wanted.url), model=name)
        except (SorterError, OSError) as error:
            report = _failed(wanted, str(error))
        except Exception as error:  # noqa: BLE001 - whoever asked waits for an answer, and may ask again
            _log.error("the installation failed", exc_info=True)
            report = _failed(wanted, f"this is a bug in sorter: {type(error).__name__}: {error}")
        self._is_busy = False
        self._tell(report)
        if is_new:
            self._on_change()

    def _bring(self, wanted: InstallFrom) -> str:
        """The name under which the model is kept.

        Raises:
            UnavailableError: it could not be brought, or is not one that may be kept.
        """
        store = self._terms.store
        errand = Errand(url=wanted.url, sha256=wanted.sha256, folder=store.folder, public_key=store.public_key)
        command = [sys.executable, "-P", "-m", "edge.models.install_worker"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this very program
            self._process = process
            if self._is_stopping:
                process.kill()
            alarm = threading.Timer(_MAX_S, process.kill)
            alarm.daemon = True
            alarm.start()
            try:
                last = self._listen(process, wanted, errand)
            finally:
                alarm.cancel()
        self._process = None
        if last.model is None:
            raise UnavailableError(last.error or self._why_ended(process.returncode))
        return last.model

    def _listen(self, process: subprocess.Popen[str], wanted: InstallFrom, errand: Errand) -> Said:
        """The last that it says; its progress is passed on."""
        last = Said()
        try:
            with process.stdin or io.StringIO() as errands:
                errands.write(errand.model_dump_json())
            for line in process.stdout or ():
                last = Said.model_validate_json(line)
                if last.num_wanted:
                    percent = 100 * last.num_bytes // last.num_wanted
                    report = InstallReport(stage=Stage.DOWNLOADING, source=without_secrets(wanted.url), percent=percent)
                    self._report(report)
        except (OSError, ValidationError) as error:
            _log.debug("the installing process broke off: %s", error)
        return last

    def _why_ended(self, code: int) -> str:
        if self._is_stopping:
            return "the bin was stopped meanwhile; asked again, it goes on from there"
        return f"the process that checked it ended with {code}: too slow, out of memory, or the model is damaged"

    def _begin(self, wanted: InstallFrom, name: str) -> bool:
        """Let it run; False when it does already."""
        store = self._terms.store
        active = store.path_of(Role.ACTIVE)
        if active is not None and active.name == name and not self._terms.has_stand_in:
            return False
        if wanted.shadow is not None:
            begin_shadow(store, name, wanted.shadow)
        else:
            begin_trial(store, name, wanted.trial, self._before())
        return True

    def _tell(self, report: InstallReport) -> None:
        _log.warning("the model at %s: %s", report.source, report.error or f"installed as {report.model}")
        self._report(report)


def _failed(wanted: InstallFrom, why: str) -> InstallReport:
    return InstallReport(stage=Stage.FAILED, source=without_secrets(wanted.url), error=why)
