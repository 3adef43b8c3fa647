from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.web.settings import PageSettings
from tests.edge.web.standing import TOKEN, StandingBin, Visitor


@pytest.fixture
def steered() -> Iterator[StandingBin]:
    bin_ = StandingBin(is_steered=True)
    yield bin_
    bin_.close()


def test_what_is_asked_is_obeyed_between_two_ticks(steered: StandingBin) -> None:
    with steered.served() as visitor:
        assert visitor.ask("/api/now").told["controls"] == {"enabled": True, "unknown_threshold": 0.55}
        assert visitor.send("/api/controls", {"enabled": False}).status == 202
        assert visitor.send("/api/controls", {"unknown_threshold": 0}).status == 202
        assert steered.controls.is_enabled, "the loop has not had its turn"
        steered.controls.attend()
        assert visitor.ask("/api/now").told["controls"] == {"enabled": False, "unknown_threshold": 0.0}


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"enabled": True, "unknown_threshold": 0.5},
        {"enabled": "OFF"},
        {"enabled": 1},
        {"unknown_threshold": 1.01},
        {"unknown_threshold": -0.01},
        {"unknown_threshold": "0.5"},
        {"unknown_threshold": True},
        {"restart": True},
        [],
        "OFF",
    ],
)
def test_anything_else_is_refused_with_a_sentence(steered: StandingBin, wish: object) -> None:
    with steered.served() as visitor:
        answer = visitor.send("/api/controls", wish)
        nan = visitor.ask("/api/controls", b'{"unknown_threshold": NaN}')
    assert (answer.status, nan.status) == (400, 400)
    assert answer.told["error"]
    assert steered.inbox.take() is None


def test_a_flood_of_wishes_is_refused_and_forgotten(steered: StandingBin) -> None:
    with steered.served() as visitor:
        answers = [visitor.send("/api/controls", {"enabled": False}).status for _ in range(20)]
    assert answers == [202] * 16 + [503] * 4


def test_nobody_steers_without_the_token(steered: StandingBin) -> None:
    with steered.served(PageSettings(port=0, token=TOKEN)) as visitor:
        assert visitor.send("/api/controls", {"enabled": False}).status == 401
        elsewhere = visitor.ask("/api/controls", b'{"enabled":false}', Origin="http://evil.example")
        assert elsewhere.status == 403
        allowed = visitor.ask("/api/controls", b'{"enabled":false}', Authorization=f"Bearer {TOKEN}")
        assert allowed.status == 202


def test_a_page_over_a_rehearsal_has_nothing_to_steer(visitor: Visitor) -> None:
    assert visitor.ask("/api/now").told["controls"] is None
    assert visitor.send("/api/controls", {"enabled": False}).status == 404
