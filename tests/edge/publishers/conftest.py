from __future__ import annotations

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
    broker.kill()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite", ReplayClock())
    yield journal
    journal.close()
