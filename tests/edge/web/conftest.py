from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.web.standing import StandingBin, Visitor


@pytest.fixture
def standing() -> Iterator[StandingBin]:
    """A bin that stands still, not served yet."""
    bin_ = StandingBin()
    yield bin_
    bin_.close()


@pytest.fixture
def visitor(standing: StandingBin) -> Iterator[Visitor]:
    """Somebody who looks at the standing bin's page."""
    with standing.served() as someone:
        yield someone
