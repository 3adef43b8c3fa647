"""Which bin a decision goes to. Classes are not bins: several labels may share one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from edge.errors import ConfigError
from edge.listing import some_of
from edge.messages import Outcome

_MOST_NAMED = 20  # a problem each; a model from elsewhere may know a thousand classes


@dataclass(frozen=True, slots=True)
class Routing:
    """Every label's bin, and the bin for what was not accepted (None: leave it where it is).

    A class that was taught and that no bin names goes where the unknown goes.
    """

    bin_of_label: Mapping[str, str]
    unknown_bin: str | None = None

    def bin_for(self, outcome: Outcome, label: str | None) -> str | None:
        """Where the item goes, or None to move nothing.

        What left early is gone, and of several items at once nobody knows which one a flap would
        take: in both cases nothing moves.
        """
        match outcome:
            case Outcome.ACCEPTED:
                return self.bin_of_label.get(label, self.unknown_bin) if label is not None else None
            case Outcome.UNKNOWN | Outcome.TIMEOUT:
                return self.unknown_bin
            case Outcome.MULTIPLE | Outcome.LEFT_EARLY:
                return None


def route(
    labels_of_bin: Mapping[str, Sequence[str]],
    labels: Sequence[str],
    unknown_bin: str | None,
    taught: Sequence[str] = (),
) -> Routing:
    """A routing that covers every label exactly once; no bins at all means one bin for each label.

    What was `taught` may have no bin, or be none of `labels`: a bin must not stop because it has learned something, or
    has to be taught it again for another model.

    >>> route({"dry": ["paper", "can"], "rest": ["trash"]}, ["paper", "trash", "can"], "rest").bin_of_label
    {'paper': 'dry', 'can': 'dry', 'trash': 'rest'}

    Raises:
        ConfigError: a label has no bin or two, a bin names a label the model does not know, or the bin
            for the unknown does not exist. All problems are named at once.
    """
    if not labels_of_bin:
        return Routing({label: label for label in labels}, unknown_bin)
    problems = [
        problem if name is None else f"bins.{name}.labels {problem}"
        for name, problem in misroutings(labels_of_bin, labels, unknown_bin, taught)
    ]
    if problems:
        raise ConfigError(f"{'; '.join(problems)}. Expected: each of {some_of(labels)} in exactly one bin")
    return Routing({label: name for name, own in labels_of_bin.items() for label in own}, unknown_bin)


def misroutings(
    labels_of_bin: Mapping[str, Sequence[str]],
    labels: Sequence[str],
    unknown_bin: str | None,
    taught: Sequence[str] = (),
) -> list[tuple[str | None, str]]:
    """What keeps these bins from being a routing: sentences, each with the bin it is about, if it is about one."""
    bin_of_label: dict[str, str] = {}
    problems: list[tuple[str | None, str]] = []
    for name, bin_labels in labels_of_bin.items():
        for label in bin_labels:
            if label not in labels and label not in taught:
                near = get_close_matches(label.lower(), labels, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it knows {some_of(labels)}"
                problems.append((name, f"names {label!r}, which the model does not know; {hint}"))
            elif label in bin_of_label:
                problems.append((name, f"{label!r} stands in bins.{bin_of_label[label]} and in bins.{name}"))
            else:
                bin_of_label[label] = name
    if labels_of_bin:
        homeless = [label for label in labels if label not in {*bin_of_label, *taught}]
        if len(homeless) > _MOST_NAMED:
            problems.append((None, f"{some_of(homeless)} have no bin"))
        else:
            problems += [(None, f"{label!r} has no bin") for label in homeless]
        if unknown_bin is not None and unknown_bin not in labels_of_bin:
            problems.append((None, f"the bin for unknown items, {unknown_bin!r}, is not among the bins"))
    return problems
