"""Thresholds that were found beside what the configuration says, which has the last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from edge.config import Config
from edge.deciding.rules import threshold_text
from edge.items.smoothing import Method
from edge.listing import some_of
from edge.site import ClassStep


def least_now(config: Config, label: str, found: Mapping[str, ClassStep]) -> float:
    """The least confidence by which the bin goes: its own in the configuration, else what was found."""
    decision = config.decision
    own = decision.classes.get(label, found.get(label))
    return decision.min_confidence if own is None else own.min_confidence


def what_stays(config: Config, label: str, found: Mapping[str, ClassStep]) -> str:
    """By what a class goes of which the pictures tell nothing."""
    least = threshold_text(least_now(config, label, found))
    if label in found and label not in config.decision.classes:
        return f"its threshold stays {least}, as it was found before"
    return f"it has no threshold from here, and goes by the configuration's {least}"


def why_unheeded(config: Config, found: Iterable[str]) -> Iterator[str]:
    """What keeps the bin from going by the thresholds of the classes `found`, a sentence each."""
    if config.decision.costs:
        yield (
            "Mind: the configuration has decision.costs, and such a bin goes by no threshold: take them out there,"
            " or what is found here is not used."
        )
    elif named := [label for label in found if label in config.decision.classes]:
        yield (
            f"Mind: the configuration has decision.classes for {some_of(named)}, which wins: take them out there,"
            " or they stay so."
        )
    if config.smoothing.method is Method.VOTE:
        yield (
            'Mind: these are thresholds for the scores of pictures. With smoothing.method = "vote" an item is as sure'
            " as its frames agree, which is something else."
        )
