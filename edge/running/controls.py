"""What may be changed while a bin runs, by MQTT or from its page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import assert_never

from edge.journal import Journal
from edge.publishers.commands import Inbox, InstallFrom, MarkWrong, RemoteCommand, SetEnabled, SetUnknownThreshold, Verb

_log = logging.getLogger(__name__)

_ENABLED = "enabled"
_THRESHOLD = "unknown_threshold"
_ON, _OFF = "on", "off"


class Controls:
    """Obeys commands between two ticks, in the loop's thread; its properties may be read from any.

    Switched off, the bin goes on deciding, but moves nothing. Switch and threshold outlive a restart, the
    threshold until the configuration names another one. `later` does what takes a disk; `on_threshold` is
    given the confidence below which an item is unknown, `on_install` is asked to install the model in the shadow;
    `on_install_from`, to begin with one from the web, must not block.
    """

    def __init__(
        self,
        inbox: Inbox,
        journal: Journal,
        later: Callable[[Callable[[], object]], None],
        configured_threshold: float,
        on_threshold: Callable[[float], None],
        on_install: Callable[[], None] = lambda: None,
        on_install_from: Callable[[InstallFrom], None] = lambda _: None,
    ) -> None:
        self._inbox = inbox
        self._journal = journal
        self._later = later
        self._configured_threshold = configured_threshold
        self._on_threshold = on_threshold
        self._on_install = on_install
        self._on_install_from = on_install_from
        self._is_enabled = journal.remembered(_ENABLED) != _OFF
        self._wants_restart = False
        self._threshold = configured_threshold
        kept, _, instead_of = (journal.remembered(_THRESHOLD) or "").partition(" instead of ")
        if kept and instead_of == str(configured_threshold):
            self._set_threshold(float(kept))
            if kept != instead_of:
                _log.warning("unknown below %s, as was set while it ran; configured is %s", kept, instead_of)
        if not self._is_enabled:
            _log.warning("sorting is switched off since an earlier run; nothing moves until it is switched on")

    @property
    def is_enabled(self) -> bool:
        """Whether the bin moves what it decides."""
        return self._is_enabled

    @property
    def unknown_threshold(self) -> float:
        """The confidence, 0..1, below which an item is unknown."""
        return self._threshold

    @property
    def wants_restart(self) -> bool:
        """Whether the bin was asked to end, so that its service starts it again."""
        return self._wants_restart

    def ask(self, command: RemoteCommand) -> bool:
        """Have `command` obeyed at the next `attend`; False when too many wait already. Any thread; never blocks."""
        return self._inbox.put(command)

    def attend(self) -> None:
        """Obey what waits in the inbox. Never blocks."""
        while (command := self._inbox.take()) is not None:
            self._obey(command)

    def _obey(self, command: RemoteCommand) -> None:
        match command:
            case SetEnabled(is_enabled):
                if is_enabled != self._is_enabled:
                    _log.warning("sorting was switched %s", _ON if is_enabled else _OFF)
                self._is_enabled = is_enabled
                self._later(lambda: self._journal.remember(_ENABLED, _ON if is_enabled else _OFF))
            case SetUnknownThreshold(threshold):
                self._set_threshold(threshold)
                kept = f"{threshold} instead of {self._configured_threshold}"
                self._later(lambda: self._journal.remember(_THRESHOLD, kept))
            case MarkWrong(label):
                self._later(lambda: self._journal.correct("last", label))
            case Verb.RESTART:
                _log.warning("a restart was asked for: the bin ends, and its service starts it again")
                self._wants_restart = True
            case Verb.RESET_COUNTS:
                self._later(self._journal.reset_counts)
            case Verb.INSTALL:
                self._later(self._on_install)
            case InstallFrom():
                self._on_install_from(command)
            case _:
                assert_never(command)

    def _set_threshold(self, threshold: float) -> None:
        if threshold != self._threshold:
            _log.info("items below a confidence of %.2f are unknown from now on", threshold)
        self._threshold = threshold
        self._on_threshold(threshold)
