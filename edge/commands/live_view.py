"""The bin at a terminal: its picture, what it sees, how sure it is, what fell where. Drawn anew in place."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge.messages import Box, Image, Prediction, Sight
    from edge.records import DecisionRecord

PICTURE_COLUMNS, PICTURE_ROWS = 44, 16  # a row is two pixels high: upper and lower half of a block
MIN_COLUMNS, MIN_ROWS = 88, 27
_BAR = 22
_NUM_SCORES = 6
_NUM_DECISIONS = 4
_REDRAW_S = 0.08

_HOME, _CLEAR_BELOW, _CLEAR_LINE = "\033[H", "\033[J", "\033[K"
_RESET, _BOLD, _DIM, _GREEN, _YELLOW = "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m"


@dataclass(slots=True)
class Scene:
    """What is to be drawn."""

    title: str
    labels: Sequence[str]
    bins: Sequence[str]
    phase: str = "empty"
    picture: Image | None = None
    prediction: Prediction | None = None
    counts: Counter[str] = field(default_factory=Counter)
    decisions: deque[DecisionRecord] = field(default_factory=lambda: deque(maxlen=_NUM_DECISIONS))


def fits(stream: TextIO = sys.stdout, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a terminal on which a picture can be drawn in place."""
    size = shutil.get_terminal_size((0, 0))
    is_able = stream.isatty() and environment.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in environment
    return is_able and size.columns >= MIN_COLUMNS and size.lines >= MIN_ROWS


class LiveView:
    """An onlooker and a listener of the loop that draws to `stream`, at most twelve times a second."""

    def __init__(
        self,
        title: str,
        labels: Sequence[str],
        bins: Sequence[str],
        stream: TextIO = sys.stdout,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._scene = Scene(title, labels, bins)
        self._stream = stream
        self._has_all_colors = environment.get("COLORTERM") in {"truecolor", "24bit"}
        self._drawn_at_s = -1.0

    def __enter__(self) -> LiveView:
        self._stream.write("\033[?25l\033[2J")  # no cursor, an empty screen
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        self._stream.write("\033[?25h\n")
        self._stream.flush()

    def saw(self, sight: Sight) -> None:
        """One tick."""
        scene = self._scene
        scene.phase = sight.presence.phase.value
        if sight.prediction is not None:
            scene.prediction = sight.prediction
        elif scene.phase == "empty":
            scene.prediction = None
        now_s = time.monotonic()
        if now_s - self._drawn_at_s < _REDRAW_S:
            return
        self._drawn_at_s = now_s
        scene.picture = small_picture(sight.frame.image, sight.box or sight.presence.box)
        self._draw()

    def tell(self, record: DecisionRecord) -> None:
        """One decision."""
        self._scene.decisions.appendleft(record)
        if record.decision.bin is not None:
            self._scene.counts[record.decision.bin] += 1
        self._draw()

    def _draw(self) -> None:
        lines = render(self._scene, has_all_colors=self._has_all_colors)
        self._stream.write(_HOME + "".join(f"{line}{_RESET}{_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW)
        self._stream.flush()


def small_picture(image: Image, box: Box | None) -> Image:
    """The frame at the terminal's size, (2 * PICTURE_ROWS, PICTURE_COLUMNS, 3), with the item framed."""
    size = (PICTURE_COLUMNS, 2 * PICTURE_ROWS)
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if box is not None:
        across, down = size[0] / image.shape[1], size[1] / image.shape[0]
        corner = (round(box.x * across), round(box.y * down))
        opposite = (round((box.x + box.width) * across), round((box.y + box.height) * down))
        cv2.rectangle(small, corner, opposite, (0, 160, 255), 1)
    return small


def render(scene: Scene, *, has_all_colors: bool) -> list[str]:
    """The screen, line by line."""
    left = list(_picture(scene.picture, has_all_colors=has_all_colors))
    right = list(_beside(scene))
    rows = max(len(left), len(right))
    blank = " " * PICTURE_COLUMNS
    body = [
        f" {left[row] if row < len(left) else blank}{_RESET}   {right[row] if row < len(right) else ''}"
        for row in range(rows)
    ]
    return [f" {_BOLD}{scene.title}", "", *body, "", *(f" {line}" for line in _decisions(scene))]


def _beside(scene: Scene) -> Iterator[str]:
    color = _GREEN if scene.phase == "settled" else _YELLOW if scene.phase == "moving" else _DIM
    yield f"the camera sees: {color}{scene.phase}"
    yield ""
    yield f"{_DIM}what the item looks like"
    scores = {} if scene.prediction is None else dict(zip(scene.labels, scene.prediction.scores, strict=True))
    for label in scene.labels[:_NUM_SCORES]:
        score = float(scores.get(label, 0.0))
        yield f"{label:<10.10} {_bar(score)} {score:4.0%}" if scores else f"{_DIM}{label:<10.10} {_bar(0)}"
    yield ""
    yield f"{_DIM}the bins"
    most = max(8, *scene.counts.values()) if scene.counts else 8
    for name in scene.bins:
        count = scene.counts[name]
        yield f"{name:<10.10} {_GREEN}{_bar(count / most)}{_RESET} {count or ''}"


def _decisions(scene: Scene) -> Iterator[str]:
    for number, record in enumerate(scene.decisions):
        decision = record.decision
        sure = f"{decision.label} {decision.confidence:.0%}" if decision.label else "-"
        where = f"-> {decision.bin}" if decision.bin else "(stays)"
        yield f"{'' if number == 0 else _DIM}{decision.outcome.value:<9} {sure:<15} {where:<13} {decision.reason:.44}"


def _bar(share: float) -> str:
    """Eighths of a block, so that it grows smoothly."""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(_BAR, "·")


def _picture(picture: Image | None, *, has_all_colors: bool) -> Iterator[str]:
    if picture is None:
        return
    for upper, lower in zip(picture[0::2], picture[1::2], strict=True):
        pairs = zip(upper, lower, strict=True)
        yield "".join(f"{_ink(over, 38, has_all_colors)}{_ink(under, 48, has_all_colors)}▀" for over, under in pairs)


def _ink(color: np.ndarray, kind: int, has_all_colors: bool) -> str:  # noqa: FBT001 - called 1,400 times a picture
    red, green, blue = (int(value) for value in color)
    if has_all_colors:
        return f"\033[{kind};2;{red};{green};{blue}m"
    # The 6 x 6 x 6 cube of terminals with 256 colors.
    number = 16 + 36 * round(red / 51) + 6 * round(green / 51) + round(blue / 51)
    return f"\033[{kind};5;{number}m"
