"""Which steps of a site must be done again: those of another model, and those that a later step undermined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from edge.bundle import Bundle
from edge.site.schema import ModelStep, SiteDescription, model_steps

_LOST: Mapping[str, str] = MappingProxyType(
    {
        "head": "what you taught it is left out",
        "temperature": "how sure it may be is unknown",
        "thresholds": "when to accept each class is unknown",
    }
)
_TITLES: Mapping[str, str] = MappingProxyType(
    {"head": "taught classes", "temperature": "temperature", "thresholds": "thresholds"}
)
_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "head": "sorter teach --again",
        "temperature": "sorter calibrate temperature",
        "thresholds": "sorter calibrate thresholds",
    }
)


def what_is_stale(described: SiteDescription, bundle: Bundle) -> Mapping[str, str]:
    """The steps that must be done again, by name, each with a sentence: why, and with which command.

    Those of another bundle hold no more. Those that a later step undermined hold on, less well than they say.
    """
    return MappingProxyType(dict(_stale(described, bundle)))


def _stale(described: SiteDescription, bundle: Bundle) -> Iterator[tuple[str, str]]:
    before: dict[str, ModelStep] = {}
    for name, step in model_steps(described).items():
        run = f"run `{_COMMANDS[name]}`"
        if step.bundle != bundle.bundle_id:
            yield name, f"the model is now {bundle.short_name}, it was {step.bundle[:8]}: {_LOST[name]}: {run}"
        elif newer := [f"the {_TITLES[other]}" for other, done in before.items() if done.made_at > step.made_at]:
            yield name, f"{_TITLES[name]} older than {' and '.join(newer)}: {run}"
        before[name] = step
