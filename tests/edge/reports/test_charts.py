"""Charts are well-formed, keep values inside the axes, and write every bar's value out."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.reports.charts import Bar, Line, bar_chart, line_chart, matrix_chart, number_text

SVG = "{http://www.w3.org/2000/svg}"


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30))
def test_every_point_lies_inside_the_axes(values: list[float]) -> None:
    chart = line_chart([Line("a", range(len(values)), values)], title="t", x_label="x", y_label="y")
    (line,) = ET.fromstring(chart).findall(f"{SVG}polyline")  # noqa: S314 - of our own making
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert len(points) == len(values)
    assert all(60 <= x <= 640 and 30 <= y <= 330 for x, y in points)


def test_a_gap_in_a_line_is_left_out() -> None:
    chart = line_chart([Line("a", [0, 1, 2], [1, math.nan, 3])], title="t", x_label="x", y_label="y")
    (line,) = ET.fromstring(chart).findall(f"{SVG}polyline")  # noqa: S314
    assert len(line.attrib["points"].split()) == 2


def test_bars_and_cells_say_their_value() -> None:
    texts = [text.text for text in ET.fromstring(  # noqa: S314
        bar_chart([Bar("paper & board", 0.931, 0.9, 0.96, "(80)")], title="Recall <1>", x_label="recall")
    ).iter(f"{SVG}text")]  # fmt: skip
    assert {"paper & board", "0.931 (80)", "Recall <1>"} <= set(texts)
    cells = ET.fromstring(matrix_chart(["a", "b"], [[7, 0], [1, 9]], title="m"))  # noqa: S314
    assert [text.text for text in cells.iter(f"{SVG}text")][-4:] == ["7", "0", "1", "9"]


@pytest.mark.parametrize(
    "labels",
    [
        ["product_1", "product_10", "product_2"],
        ["a bottle of clear glass with its lid on", "a bottle of clear glass with its lid off", "can"],
        ["a bottle of brown glass, deposit, 0.5 l, lid", "a bottle of green glass, deposit, 0.5 l, lid", "can"],
    ],
)
def test_classes_of_a_matrix_are_told_apart_and_its_title_is_not_cut_off(labels: list[str]) -> None:
    title = "True class in rows, and in columns what was answered"
    chart = ET.fromstring(matrix_chart(labels, [[1, 2, 3]] * 3, title=title))  # noqa: S314
    heading, *texts = [text.text for text in chart.iter(f"{SVG}text")]
    assert heading == title
    rows, columns = texts[1:6:2], texts[:6:2]
    assert rows == columns
    assert len(set(rows)) == 3
    assert float(chart.attrib["width"]) >= 9 * len(title)  # 15 px DejaVu Sans bold measures 8.8 px a letter


@pytest.mark.parametrize("name", ["a" * 90, "a bottle of clear glass, deposit, half a litre, no lid", "纸张和纸板" * 3])
def test_long_names_leave_room_for_their_bars_and_are_not_cut_off(name: str) -> None:
    chart = ET.fromstring(bar_chart([Bar(name, 3.0), Bar("can", 12.0)], title="t", x_label="x"))  # noqa: S314
    shorter, longer = (float(bar.attrib["width"]) for bar in chart.findall(f"{SVG}rect")[1:])
    assert longer == pytest.approx(4 * shorter, abs=0.3), "rounded to a tenth"
    assert longer > 200
    (label,) = [text for text in chart.iter(f"{SVG}text") if text.text and text.text[:2] == name[:2]]
    letter_px = 13 if name[0] == "纸" else 7.5
    assert float(label.attrib["x"]) >= letter_px * len(label.text or "")


def test_columns_with_chinese_names_are_labelled_upward_where_they_would_overlap() -> None:
    chart = ET.fromstring(matrix_chart(["玻璃瓶和罐子", "纸"], [[1, 2]] * 2, title="m"))  # noqa: S314
    assert sum("transform" in text.attrib for text in chart.iter(f"{SVG}text")) == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.9312, "0.931"), (1234.5, "1234"), (-2.5, "-2.5"), (1e-3, "0.001")]
)
def test_numbers(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize("values", [[1.0981, 1.1034], [33.3333, 33.3333], [0.1, 0.9], [1200.0, 1201.5], [3e-5, 8e-5]])
def test_no_two_ticks_of_an_axis_say_the_same(values: list[float]) -> None:
    """A loss that has nearly settled moves in its third digit: its axis said 1.1, 1.1, 1.1."""
    drawn = line_chart([Line("loss", [1.0, 2.0], values)], title="t", x_label="x", y_label="y")
    chart = ET.fromstring(drawn)  # noqa: S314
    ticks = [text for text in chart.iter(f"{SVG}text") if text.attrib.get("class") == "small"]
    said = [text.text for text in ticks if text.attrib.get("text-anchor") == "end"]
    assert len(said) >= 2
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("num_epochs", [1, 2, 3, 60])
def test_what_is_counted_has_ticks_at_whole_numbers_only(num_epochs: int) -> None:
    epochs = [float(number) for number in range(1, num_epochs + 1)]
    drawn = line_chart([Line("loss", epochs, epochs)], title="t", x_label="epoch", y_label="y", counts_x=True)
    said = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text") if text.get("text-anchor") == "middle"]  # noqa: S314
    assert "1" in said or num_epochs == 60
    assert all(text.isdecimal() for text in said if text not in {"epoch", "y"})


def test_a_matrix_of_a_hundred_classes_is_not_shrunk_until_nobody_can_read_it() -> None:
    labels = [f"class {number}" for number in range(100)]
    chart = ET.fromstring(matrix_chart(labels, [[1] * 100] * 100, title="m"))  # noqa: S314
    assert chart.attrib["style"] == f"min-width: {0.6 * float(chart.attrib['width']):.0f}px"
