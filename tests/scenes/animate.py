"""The manual's small animation: the demo's film through the real loop, with what it sees and decides.

python3 -m tests.scenes.animate OUT.webp [--items N] [--seed N]
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.clock import ReplayClock
from edge.config import Config
from edge.config.sections import SimulatedCameraSection
from edge.messages import Image, Sight
from edge.records import DecisionRecord
from edge.service import open_rehearsal

WIDTH, HEIGHT, PANEL = 400, 300, 170
EVERY = 3  # frames of the film for one of the animation
_INK, _FAINT, _BLUE, _BACK = (40, 40, 40), (190, 190, 190), (178, 114, 0), (250, 250, 250)  # BGR
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Animation:
    """Looks on with the loop and draws every third tick."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.frames: list[Image] = []
        self._labels = labels
        self._counts: Counter[str] = Counter()
        self._said = ""
        self._scores: NDArray[np.float32] | None = None
        self._num_seen = 0

    def saw(self, sight: Sight) -> None:
        """One tick."""
        self._num_seen += 1
        if sight.presence.phase == "empty":
            self._said, self._scores = "", None
        elif sight.prediction is not None:
            self._scores = sight.prediction.scores
        if self._num_seen % EVERY:
            return
        self.frames.append(np.hstack([self._picture(sight), self._panel(self._scores)]))

    def tell(self, record: DecisionRecord) -> None:
        """One decision."""
        decision = record.decision
        self._said = f"{decision.label} {decision.confidence:.0%}" if decision.bin else decision.outcome.value
        self._counts[decision.bin or ""] += 1

    def _picture(self, sight: Sight) -> Image:
        image = cv2.cvtColor(sight.frame.image, cv2.COLOR_RGB2BGR)
        scale = WIDTH / image.shape[1]
        image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        box = sight.presence.box
        if box is not None:
            corner = (round(box.x * scale), round(box.y * scale))
            opposite = (round((box.x + box.width) * scale), round((box.y + box.height) * scale))
            cv2.rectangle(image, corner, opposite, _BLUE, 2, cv2.LINE_AA)
        if self._said:
            cv2.rectangle(image, (0, HEIGHT - 34), (WIDTH, HEIGHT), _BACK, cv2.FILLED)
            cv2.putText(image, self._said, (12, HEIGHT - 11), _FONT, 0.65, _INK, 1, cv2.LINE_AA)
        return image  # type: ignore[return-value]

    def _panel(self, scores: NDArray[np.float32] | None) -> Image:
        panel = np.full((HEIGHT, PANEL, 3), _BACK, np.uint8)
        for row, label in enumerate(self._labels):
            y = 24 + row * 46
            cv2.putText(panel, label, (10, y), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
            cv2.putText(panel, str(self._counts[label] or ""), (PANEL - 22, y), _FONT, 0.45, _INK, 1, cv2.LINE_AA)
            cv2.rectangle(panel, (10, y + 7), (PANEL - 12, y + 15), _FAINT, 1)
            if scores is not None:
                end = 10 + round((PANEL - 22) * float(scores[row]))
                cv2.rectangle(panel, (10, y + 7), (end, y + 15), _BLUE, cv2.FILLED)
        return panel


def main() -> None:
    """Play, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--items", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    section = SimulatedCameraSection(num_items=arguments.items, seed=arguments.seed)
    drawn = Animation(("cardboard", "glass", "metal", "paper", "plastic", "trash"))
    with open_rehearsal(Config(camera=section), ReplayClock(), [drawn.tell], observers=[drawn.saw]) as loop:
        loop.run_to_end()
        rate_hz = section.rate_hz / EVERY
    animation = cv2.Animation()
    animation.frames = drawn.frames
    animation.durations = [round(1000 / rate_hz)] * len(drawn.frames)
    cv2.imwriteanimation(str(arguments.out), animation, [cv2.IMWRITE_WEBP_QUALITY, 60])
    print(f"{arguments.out}: {len(drawn.frames)} pictures, {arguments.out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
