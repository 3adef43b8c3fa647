"""Charts as SVG text, for reports that one file must hold: no library, no script, no font, no host.

They are read in print and by the color-blind: lines differ by color (Okabe and Ito 2008, "Color Universal
Design"), by dashes and by marks, and every value that matters is also written out.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 4", "1 4")

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 36, 52
_ROW = 26  # height of one bar
_CELL = 52
_READABLE = 0.6  # of its size: letters of 13 pixels are 8 then
# Widths in pixels, in the widest of the usual fonts (DejaVu Sans): of a letter, of a Chinese one, of one of the title.
_LETTER, _FULL_LETTER, _TITLE_LETTER = 7.5, 13.0, 9.2
_SMALL = 11 / 13  # of a letter
_LONGEST_LABEL_PX = 28 * _LETTER
_UPRIGHT_FROM_PX = 8 * _LETTER  # a longer label does not fit above a cell
_NUM_TICKS = 5
_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}"
    ".small{font-size:11px}.grid{stroke:#ddd}.axis{stroke:#555}.whisker{stroke:#222;stroke-width:1.5}</style>"
)

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line, (N,) `y` over `x`; `low` and `high`, where they are given, bound a shaded band."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, and the ends of its interval where there is one; `note` is written behind it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_range: Range | None = None,
    y_range: Range | None = None,
    has_diagonal: bool = False,
    has_marks: bool = False,
    counts_x: bool = False,
) -> str:
    """Lines over common axes with a legend; `has_diagonal` adds the line y = x, `counts_x` has whole x only."""
    xs = _Scale(x_range or _span([value for line in lines for value in line.x]), _LEFT, _WIDTH - _RIGHT)
    values = [value for line in lines for values in (line.y, line.low, line.high) for value in values]
    ys = _Scale(y_range or _span(values), _HEIGHT - _BOTTOM, _TOP)
    least_step = 1.0 if counts_x else 0.0
    parts = [*_x_axis(xs, _TOP, _HEIGHT - _BOTTOM, x_label, _HEIGHT, least_step), *_y_axis(ys, y_label)]
    if has_diagonal:
        low, high = max(xs.low, ys.low), min(xs.high, ys.high)
        ends = f'x1="{xs(low):.1f}" y1="{ys(low):.1f}" x2="{xs(high):.1f}" y2="{ys(high):.1f}"'
        parts.append(f'<line {ends} stroke="#999" stroke-dasharray="3 3"/>')
    for number, line in enumerate(lines):
        parts += _drawn(line, number, xs, ys, has_marks=has_marks)
    if len(lines) > 1:
        parts += _legend([line.name for line in lines])
    return _svg(parts, title, _WIDTH, _HEIGHT)


def bar_chart(bars: Sequence[Bar], *, title: str, x_label: str, x_range: Range | None = None) -> str:
    """Horizontal bars, one below the other, each with its value and interval; long names are cut in their middle."""
    names = _shortened([bar.name for bar in bars])
    left = 20 + _longest_px(names)
    height = _TOP + _ROW * len(bars) + _BOTTOM
    ends = [value for bar in bars for value in (0.0, bar.value, bar.high) if value is not None]
    xs = _Scale(x_range or _span(ends), left, _WIDTH - 110)
    parts = list(_x_axis(xs, _TOP, height - _BOTTOM, x_label, height))
    for row, (name, bar) in enumerate(zip(names, bars, strict=True)):
        y = _TOP + _ROW * row
        start, end = xs(max(xs.low, 0.0)), xs(bar.value)
        box = f'x="{min(start, end):.1f}" y="{y + 5}" width="{abs(end - start):.1f}" height="{_ROW - 10}"'
        parts.append(f'<rect {box} fill="{COLORS[0]}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 18}" text-anchor="end">{escape(name)}</text>')
        reach = end
        if bar.low is not None and bar.high is not None:
            reach = xs(bar.high)
            parts += _whisker(xs(bar.low), reach, y + _ROW / 2)
        text = f"{number_text(bar.value)} {bar.note}".strip()
        parts.append(f'<text class="small" x="{max(reach, end) + 8:.1f}" y="{y + 18}">{escape(text)}</text>')
    return _svg(parts, title, _WIDTH, height)


def matrix_chart(labels: Sequence[str], counts: Sequence[Sequence[int]], *, title: str) -> str:
    """A confusion matrix: a row for each true class, a column for each answer; shares of a row are shaded.

    Long labels are cut in their middle, so that no two are the same, and columns that have any are labelled upward.
    """
    names = _shortened(labels)
    longest_px = _longest_px(names)
    is_upright = longest_px > _UPRIGHT_FROM_PX
    left, top = 24 + longest_px, _TOP + (16 + _SMALL * longest_px if is_upright else 26)
    width = max(left + _CELL * len(names) + _RIGHT, 16 + _TITLE_LETTER * len(title))
    parts = []
    for index, name in enumerate(names):
        middle = _CELL * index + _CELL / 2
        parts.append(_column_label(name, left + middle, top - 10, is_upright=is_upright))
        parts.append(f'<text x="{left - 8}" y="{top + 4 + middle}" text-anchor="end">{escape(name)}</text>')
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            parts += _cell(left + _CELL * column, top + _CELL * row, count, sum(line), is_right=row == column)
    return _svg(parts, title, width, top + _CELL * len(names) + 12, least_px=_READABLE * width)


def _shortened(labels: Sequence[str]) -> list[str]:
    """Labels of at most some width; where the ends of two are the same they are numbered."""
    short = [_cut(label) for label in labels]
    return [f"{index}: {name}" if short.count(name) > 1 else name for index, name in enumerate(short, start=1)]


def _cut(label: str) -> str:
    if (width_px := _width_px(label)) <= _LONGEST_LABEL_PX:
        return label
    half = int(_LONGEST_LABEL_PX / 2 * len(label) / width_px)
    return f"{label[:half]}…{label[-half + 1 :]}"


def _longest_px(names: Sequence[str]) -> float:
    return max((_width_px(name) for name in names), default=0.0)


def _width_px(name: str) -> float:
    return sum(_FULL_LETTER if unicodedata.east_asian_width(letter) in "WF" else _LETTER for letter in name)


def _column_label(name: str, x: float, y: float, *, is_upright: bool) -> str:
    if not is_upright:
        return f'<text class="small" x="{x}" y="{y}" text-anchor="middle">{escape(name)}</text>'
    return f'<text class="small" x="{x}" y="{y}" transform="rotate(-90 {x} {y})" dy="4">{escape(name)}</text>'


def _cell(x: float, y: float, count: int, total: int, *, is_right: bool) -> Iterator[str]:
    share = count / max(1, total)
    place = f'x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}"'
    yield f'<rect {place} fill="{COLORS[0 if is_right else 1]}" fill-opacity="{0.04 + 0.9 * share:.2f}"/>'
    ink = "#fff" if share > 0.5 else "#222"
    yield f'<text x="{x + _CELL / 2 - 1}" y="{y + 30}" text-anchor="middle" style="fill:{ink}">{count}</text>'


def number_text(value: float) -> str:
    """A number as a reader wants it: three digits, no powers of ten."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class _Scale:
    """A straight map from values to pixels."""

    def __init__(self, limits: Range, start_px: float, end_px: float) -> None:
        self.low, self.high = limits if limits[1] > limits[0] else (limits[0] - 0.5, limits[0] + 0.5)
        self._start_px, self._end_px = start_px, end_px

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self._start_px + share * (self._end_px - self._start_px)

    def ticks(self, least_step: float = 0.0) -> list[tuple[float, str]]:
        """Round numbers, about `_NUM_TICKS` of them, each with as many digits as tell it from the next."""
        raw = max((self.high - self.low) / _NUM_TICKS, least_step)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        ticks = [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [(tick, f"{tick:.{digits}f}") for tick in ticks]


def _span(values: Sequence[float]) -> Range:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = 0.05 * (high - low)
    # From zero where that is near: a difference must not look larger than it is.
    return (0.0 if 0 <= low < 0.5 * high else low - room), high + room


def _x_axis(
    scale: _Scale, top: float, bottom: float, label: str, height: float, least_step: float = 0.0
) -> Iterator[str]:
    for tick, said in scale.ticks(least_step):
        x = scale(tick)
        yield f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="small" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{said}</text>'
    start, end = scale(scale.low), scale(scale.high)
    yield f'<line class="axis" x1="{start:.1f}" y1="{bottom}" x2="{end:.1f}" y2="{bottom}"/>'
    yield f'<text x="{(start + end) / 2:.1f}" y="{height - 12}" text-anchor="middle">{escape(label)}</text>'


def _y_axis(scale: _Scale, label: str) -> Iterator[str]:
    for tick, said in scale.ticks():
        y = scale(tick)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="small" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{said}</text>'
    middle = (scale(scale.low) + scale(scale.high)) / 2
    turned = f'transform="rotate(-90 16 {middle:.1f})"'
    yield f'<text x="16" y="{middle:.1f}" text-anchor="middle" {turned}>{escape(label)}</text>'


def _drawn(line: Line, number: int, xs: _Scale, ys: _Scale, *, has_marks: bool) -> Iterator[str]:
    color, dash = COLORS[number % len(COLORS)], _DASHES[number % len(_DASHES)]
    if line.low and line.high:
        there = [f"{xs(x):.1f},{ys(y):.1f}" for x, y in zip(line.x, line.high, strict=True)]
        back = [f"{xs(x):.1f},{ys(y):.1f}" for x, y in zip(line.x, line.low, strict=True)]
        yield f'<polygon points="{" ".join(there + back[::-1])}" fill="{color}" fill-opacity="0.15"/>'
    points = [(xs(x), ys(y)) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(x) and math.isfinite(y)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>'
    if has_marks:
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    """In one row below the title, from the right."""
    x = float(_WIDTH - _RIGHT)
    for number, name in reversed(list(enumerate(names))):
        x -= 7.2 * len(name) + 42
        color, dash = COLORS[number % len(COLORS)], _DASHES[number % len(_DASHES)]
        stroke = f'stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"'
        yield f'<line x1="{x:.0f}" y1="{_TOP - 6}" x2="{x + 26:.0f}" y2="{_TOP - 6}" {stroke}/>'
        yield f'<text class="small" x="{x + 31:.0f}" y="{_TOP - 2}">{escape(name)}</text>'


def _whisker(start: float, end: float, y: float) -> Iterator[str]:
    yield f'<line class="whisker" x1="{start:.1f}" y1="{y}" x2="{end:.1f}" y2="{y}"/>'
    for x in (start, end):
        yield f'<line class="whisker" x1="{x:.1f}" y1="{y - 4}" x2="{x:.1f}" y2="{y + 4}"/>'


def _svg(parts: Sequence[str], title: str, width: float, height: float, *, least_px: float = 0.0) -> str:
    """The drawing, which a page may shrink to a width of `least_px`."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="min-width: {least_px:.0f}px" role="img"'
        f' aria-label="{escape(title)}">'
    )
    background = f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>'
    heading = f'<text class="title" x="8" y="20">{escape(title)}</text>'
    return "\n".join([head, _STYLE, background, heading, *parts, "</svg>"])
