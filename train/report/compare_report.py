"""The comparison of runs as a page."""

from __future__ import annotations

from collections.abc import Sequence

from edge.reports import page
from edge.reports.charts import Bar, bar_chart, matrix_chart
from train.measuring.compare import Contender, class_rows, rows, warnings
from train.report.curves import curve_chart


def compare_page(contenders: Sequence[Contender]) -> str:
    """One file: figures, curves, classes and confusion matrices of all runs."""
    names = [one.name for one in contenders]
    bars = [
        Bar(one.name, 100 * one.accuracy, 100 * one.accuracy_ci95[0], 100 * one.accuracy_ci95[1]) for one in contenders
    ]
    histories = {one.name: one.history for one in contenders if one.history}
    matrices = [page.wide(matrix_chart(one.run.labels, one.confusion_matrix, title=one.name)) for one in contenders]
    sections = [
        f"<h1>{len(contenders)} runs compared</h1>",
        *(page.text(f"Mind: {warning}.") for warning in warnings(contenders)),
        page.section(
            "Figures",
            page.table(["", *names], [[name, *cells] for name, cells in rows(contenders)]),
            bar_chart(bars, title="Validation accuracy, with 95 % intervals", x_label="%", x_range=(0, 100)),
        ),
        page.section(
            "Curves",
            *(
                page.figures(
                    curve_chart({name: history}, "accuracy", factor=100.0, y_label="accuracy, %", title=name),
                    curve_chart({name: history}, "loss", factor=1.0, y_label="loss", title=name),
                )
                for name, history in histories.items()
            ),
        ),
        page.section(
            "Classes: precision, recall and F1, %",
            page.table(["", *names], [[label, *cells] for label, cells in class_rows(contenders)]),
        ),
        page.section("Confusion matrices: true classes in rows, answers in columns", *matrices),
    ]
    return page.page("runs compared", sections)
