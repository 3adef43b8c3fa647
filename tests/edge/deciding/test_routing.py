from __future__ import annotations

import pytest

from edge.deciding.routing import route
from edge.errors import ConfigError
from edge.messages import Outcome

LABELS = ("can", "paper", "trash")


def test_without_bins_each_label_is_its_own_bin() -> None:
    routing = route({}, LABELS, None)
    assert [routing.bin_for(Outcome.ACCEPTED, label) for label in LABELS] == list(LABELS)
    assert routing.bin_for(Outcome.UNKNOWN, "can") is None


@pytest.mark.parametrize("outcome", [Outcome.MULTIPLE, Outcome.LEFT_EARLY])
def test_what_cannot_be_placed_moves_nothing_even_with_a_bin_for_the_unknown(outcome: Outcome) -> None:
    assert route({"all": LABELS}, LABELS, "all").bin_for(outcome, "can") is None


def test_a_thousand_classes_do_not_fill_the_terminal() -> None:
    labels = [f"class {number}" for number in range(1000)]
    with pytest.raises(ConfigError, match=r"class 1, .* and 987 more have no bin") as refusal:
        route({"a": labels[:1]}, labels, None)
    assert len(str(refusal.value)) < 400


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        route({"a": ["can", "glass"], "b": ["can"]}, LABELS, "c")
    message = str(refusal.value)
    for problem in (
        "'glass'",
        "'can' stands in bins.a and in bins.b",
        "'paper' has no bin",
        "'trash' has no bin",
        "'c'",
    ):
        assert problem in message
