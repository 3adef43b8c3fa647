"""Prometheus' text format, version 0.0.4: families of samples, one a line."""

from __future__ import annotations

from collections.abc import Iterable

from edge.running.telemetry import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Names and values, in the order in which they are written.
Labels = tuple[tuple[str, str], ...]


class Exposition:
    """Gathers families of samples and gives them as text.

    >>> page = Exposition()
    >>> page.counter("sorter_frames_total", "Frames seen.", [((), 3)])
    >>> print(page.text(), end="")
    # HELP sorter_frames_total Frames seen.
    # TYPE sorter_frames_total counter
    sorter_frames_total 3
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def counter(self, name: str, tells: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """A number that only grows, for each set of labels."""
        self._family(name, tells, "counter", samples)

    def gauge(self, name: str, tells: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """A number that goes up and down, for each set of labels."""
        self._family(name, tells, "gauge", samples)

    def histogram(self, name: str, tells: str, by_labels: Iterable[tuple[Labels, Histogram]]) -> None:
        """Durations in seconds, for each set of labels."""
        self._head(name, tells, "histogram")
        for labels, histogram in by_labels:
            *counts, total = histogram.cumulative()
            for edge_s, count in zip(histogram.edges_s, counts, strict=True):
                self._sample(f"{name}_bucket", (*labels, ("le", _number(edge_s))), count)
            self._sample(f"{name}_bucket", (*labels, ("le", "+Inf")), total)
            self._sample(f"{name}_sum", labels, histogram.sum_s)
            self._sample(f"{name}_count", labels, total)

    def text(self) -> str:
        """The whole, with a line feed at its end."""
        return "\n".join(self._lines) + "\n"

    def _family(self, name: str, tells: str, kind: str, samples: Iterable[tuple[Labels, float]]) -> None:
        self._head(name, tells, kind)
        for labels, sample in samples:
            self._sample(name, labels, sample)

    def _head(self, name: str, tells: str, kind: str) -> None:
        self._lines += [f"# HELP {name} {tells}", f"# TYPE {name} {kind}"]

    def _sample(self, name: str, labels: Labels, sample: float) -> None:
        told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        self._lines.append(f"{name}{{{told}}} {_number(sample)}" if told else f"{name} {_number(sample)}")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    """As short as it can be read back.

    >>> _number(3.0), _number(0.25)
    ('3', '0.25')
    """
    return str(int(value)) if float(value).is_integer() else repr(float(value))
