from __future__ import annotations

import json

from edge.clock import ReplayClock
from edge.messages import Phase
from edge.publishers.state import NO_PROBLEM, BinState, StateReporter


class Hung:
    """A board that keeps what hangs there, and how often each topic changed."""

    def __init__(self) -> None:
        self.topics: dict[str, str] = {}

    def retain(self, topic: str, payload: str) -> None:
        self.topics[topic] = payload


def test_state_counts_and_problems_are_what_they_are_now() -> None:
    board, clock = Hung(), ReplayClock()
    counts = {"paper": 3}
    degrees = iter([50.0, 60.0])

    def state_now(temperature_c: float | None) -> BinState:
        return BinState(Phase.EMPTY, True, 0.55, "a@1", "a@1", temperature_c)  # noqa: FBT003

    reporter = StateReporter(
        board, clock, state_now, lambda: counts, ("paper", "rest", "a/b+c#"), lambda: next(degrees)
    )
    reporter.report()
    reporter.problems([])
    assert json.loads(board.topics["state"])["temperature_c"] == 50
    assert (board.topics["bin/paper/count"], board.topics["bin/rest/count"]) == ("3", "0")
    assert board.topics["bin/a%2Fb%2Bc%23/count"] == "0"
    assert board.topics["problem"] == NO_PROBLEM

    counts["paper"] = 4
    clock.advance_to(0.1)
    reporter.report()
    assert board.topics["bin/paper/count"] == "3", "five times a second is often enough"
    counts.clear()
    reporter.problems(["camera unplugged", "jam"])
    clock.advance_to(29.0)
    reporter.report()
    assert json.loads(board.topics["state"])["temperature_c"] == 50, "read twice a minute only"
    assert board.topics["bin/paper/count"] == "0"
    assert board.topics["problem"] == "camera unplugged; jam"
    clock.advance_to(31.0)
    reporter.report()
    assert json.loads(board.topics["state"])["temperature_c"] == 60
    clock.advance_to(60.0)
    reporter.report()
    assert json.loads(board.topics["state"])["temperature_c"] == 60


def test_the_state_is_one_line_of_json_with_a_schema() -> None:
    state = BinState(Phase.SETTLED, True, 0.55551, "a@1", "b@2", 51.6)  # noqa: FBT003
    assert state.to_json() == (
        '{"schema":1,"phase":"settled","occupied":true,"enabled":true,"unknown_threshold":0.556,'
        '"temperature_c":52,"model":"a@1","latest_model":"b@2"}'
    )
