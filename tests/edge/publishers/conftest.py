from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.clock import ReplayClock
from edge.journal import Journal
from tests.edge.publishers.broker import Broker


@pytest.fixture
def broker(mosquitto: str, tmp_path: Path) -> Iterator[Broker]:
    """A broker that is not running yet."""
    broker = Broker(mosquitto, tmp_path)
    yield broker
    broker.close()
    # paho's clients hang in circles, and the sockets that wake them may be found before them: not ours to close.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite", ReplayClock())
    yield journal
    journal.close()
