"""Training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.reports.charts import Line, line_chart

History = Sequence[Mapping[str, float]]


def curve_chart(histories: Mapping[str, History], key: str, *, factor: float, y_label: str, title: str) -> str:
    """A value of training and validation over the epochs, for one run or several by name."""
    lines = []
    for name, history in histories.items():
        for column, kind in ((key, "training (augmented)"), (f"val_{key}", "validation")):
            if history and column in history[0]:
                epochs = [line["epoch"] for line in history]
                values = [factor * line[column] for line in history]
                lines.append(Line(f"{name if len(histories) > 1 else ''} {kind}".strip(), epochs, values))
    whole = f"{title}: {key}"
    return line_chart(lines, title=whole, x_label="epoch", y_label=y_label, has_marks=True, counts_x=True)
