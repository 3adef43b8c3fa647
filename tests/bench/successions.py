"""What happens to an item after it was decided: is the next one decided too, and none of them twice?

python -m tests.bench.successions --trashnet ../shared/data/trashnet --empty ../shared/data/bins/empty
    [--num 12] [--seed 31] [--only swap ...] [--clips FOLDER] [--set SECTION.KEY=VALUE ...]

An item comes to rest and is decided. Then something happens, and never is the scene empty before the end: another item
takes its place or joins it (two decisions are due), or it is pushed, turned, reached for, seen under another light (one
is due). Items are those of `tests.bench.simulated_items`, and so are the grounds and the cameras.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.confidence import wilson_interval
from edge.messages import Decision, Image, Outcome
from edge.simulation import Conditions, Cutout
from edge.simulation.hand import draw_arm
from edge.simulation.lens import Lens
from edge.simulation.paste import Pose, paste
from tests.bench.simulated_items import decisions_over, grounds_of
from tests.bench.trashnet_items import items_of

WIDTH_PX, HEIGHT_PX, RATE_HZ = 640, 480, 12.0
MIDDLE = np.array([WIDTH_PX / 2, HEIGHT_PX / 2])
# Seconds: the first item is there from ENTERS, what happens does so from HAPPENS to DONE, and all leave at LEAVES.
ENTERS, HAPPENS, DONE, LEAVES, END = 2.0, 5.0, 6.4, 9.0, 10.4
RESTING_HAND = 2.6  # how much longer a hand rests that does

Floats = NDArray[np.float32]
Point = NDArray[np.float64]
Laid = list[tuple[Cutout, Pose]]


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Who plays: two items at the size at which they lie, where each would lie alone, and an arm from one side."""

    first: Cutout
    second: Cutout
    first_pose: Pose
    second_pose: Pose
    arm: Cutout
    side: Point

    @property
    def left(self) -> Laid:
        """The first item in the left half."""
        return [(self.first, replace(self.first_pose, x_px=WIDTH_PX * 0.25, y_px=MIDDLE[1]))]

    @property
    def pair(self) -> Laid:
        """Both, apart."""
        return [*self.left, (self.second, replace(self.second_pose, x_px=WIDTH_PX * 0.75, y_px=MIDDLE[1]))]


Scene = tuple[Laid, float | None]
"""What lies there, and how far away the hand is: 0 at the item, 1 out of sight, None without one."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is drawn at a share of what happens, 0..1, and how many decisions are due in all."""

    num_due: int
    drawn: Callable[[Cast, float], Scene]
    light: float = 1.0
    lasts_longer: float = 0.0


def _away(share: float) -> float:
    """A hand's way in and out again."""
    return max(0.0, abs(share - 0.5) - 0.1) / 0.4


def _moved(pose: Pose, by: Point, turn_deg: float = 0.0) -> Pose:
    return replace(pose, x_px=pose.x_px + by[0], y_px=pose.y_px + by[1], angle_deg=pose.angle_deg + turn_deg)


def _knocked(cast: Cast, share: float) -> Scene:
    gone = (cast.first, _moved(cast.first_pose, -cast.side * 800 * share**1.5))
    come = (cast.second, _moved(cast.second_pose, cast.side * 800 * (1 - share) ** 1.5))
    return [come] if share == 1 else [gone, come], None


def _swapped(cast: Cast, share: float) -> Scene:
    one = (cast.first, cast.first_pose) if share < 0.5 else (cast.second, cast.second_pose)
    return [one], _away(share)


def _joined(cast: Cast, share: float) -> Scene:
    first, (second, pose) = cast.pair
    return [first, (second, _moved(pose, np.array([500.0, 0.0]) * (1 - min(1, share * 2)) ** 1.5))], None


def _covered(cast: Cast, share: float) -> Scene:
    fall = replace(cast.second_pose, scale=1 + 0.6 * (1 - share), x_px=cast.first_pose.x_px + 20)
    over = (cast.second, _moved(fall, cast.side * 800 * (1 - share) ** 1.5))
    return [(cast.first, cast.first_pose), over], None


def _pushed(cast: Cast, share: float) -> Scene:
    done = float(np.clip((share - 0.4) / 0.2, 0, 1))
    return [(cast.first, _moved(cast.first_pose, -cast.side * 70 * done, 40 * done))], _away(share)


def _turned(cast: Cast, share: float) -> Scene:
    return [(cast.first, _moved(cast.first_pose, cast.side * 0, 150.0 if share >= 0.5 else 0.0))], _away(share)


def _reached_for(cast: Cast, share: float) -> Scene:
    return [(cast.first, cast.first_pose)], _away(share)


def _lit(cast: Cast, share: float) -> Scene:
    return [(cast.first, cast.first_pose)], None


def _pair_reached_for(cast: Cast, share: float) -> Scene:
    return cast.pair, _away(share)


def _one_of_pair(cast: Cast, share: float) -> Scene:
    return cast.left if share >= 0.5 else cast.pair, _away(share)


STORIES = {
    "knocked out by another": Story(2, _knocked),
    "swapped by a hand": Story(2, _swapped),
    "joined by another": Story(2, _joined),
    "covered by another": Story(2, _covered),
    "one of two taken": Story(2, _one_of_pair),
    "pushed": Story(1, _pushed),
    "turned": Story(1, _turned),
    "reached for": Story(1, _reached_for),
    "a hand rests on it": Story(1, _reached_for, lasts_longer=RESTING_HAND),
    "darker": Story(1, _lit, light=0.7),
    "brighter": Story(1, _lit, light=1.3),
    "two reached for": Story(1, _pair_reached_for),
}


def cast_of(first: Cutout, second: Cutout, rng: np.random.Generator) -> Cast:
    """Two items at sizes at which both have room, at any angle."""
    turn = rng.uniform(0, 2 * np.pi)

    def pose() -> Pose:
        x_px, y_px = MIDDLE + rng.uniform(-30, 30, 2)
        return Pose(float(x_px), float(y_px), 1.0, float(rng.uniform(0, 360)))

    def sized(item: Cutout) -> Cutout:
        scale = HEIGHT_PX * rng.uniform(0.3, 0.5) / max(item.alpha.shape)
        size = (max(2, round(item.alpha.shape[1] * scale)), max(2, round(item.alpha.shape[0] * scale)))
        image, alpha = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (item.image, item.alpha))
        return replace(item, image=np.asarray(image, np.uint8), alpha=np.clip(alpha, 0, 1))

    side = np.array([np.cos(turn), np.sin(turn)])
    return Cast(sized(first), sized(second), pose(), pose(), draw_arm(rng), side)


def frames_of(
    story: Story, cast: Cast, ground: Image, conditions: Conditions, rng: np.random.Generator
) -> Iterator[Image]:
    """The clip, (480, 640, 3) uint8 RGB each."""
    plain = cv2.resize(ground, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    lens = Lens(conditions, rng, shift_at_s=1e9)
    lamp, shadow = rng.uniform(-0.7, 0.7, 2), float(rng.uniform(0.1, 0.45))
    more_s = story.lasts_longer
    for index in range(int((END + more_s) * RATE_HZ)):
        at_s = index / RATE_HZ
        laid, away = _scene_at(story, cast, at_s)
        canvas = plain.copy()
        for item, pose in laid:
            paste(canvas, item, pose, shadow, lamp)
        if away is not None and away < 1:
            x_px, y_px = MIDDLE + cast.side * 700 * away**1.3
            angle_deg = float(np.degrees(np.arctan2(cast.side[1], cast.side[0]))) + 90
            paste(canvas, cast.arm, Pose(float(x_px), float(y_px), 0.6, angle_deg, anchor_y=1.0), shadow, lamp)
        if at_s >= HAPPENS:
            canvas *= np.float32(story.light)
        yield lens.photograph(canvas, at_s)


def _scene_at(story: Story, cast: Cast, at_s: float) -> Scene:
    leaves_s, done_s = LEAVES + story.lasts_longer, DONE + story.lasts_longer
    if at_s < ENTERS:
        return [], None
    if at_s < HAPPENS:
        far = max(0.0, 1 - (at_s - ENTERS) / 0.4) ** 1.5
        laid, _ = story.drawn(cast, 0.0)
        # What is to come is not there yet.
        laid = laid[: 2 if story.drawn in (_pair_reached_for, _one_of_pair) else 1]
        return [(item, _moved(pose, cast.side * 800 * far)) for item, pose in laid], None
    if at_s < done_s:
        share = (at_s - HAPPENS) / (DONE - HAPPENS)
        if story.lasts_longer:  # the hand stays half way
            share = min(share, max(0.5, share - story.lasts_longer / (DONE - HAPPENS)))
        return story.drawn(cast, share)
    far = max(0.0, (at_s - leaves_s) / 0.4) ** 1.5
    laid, _ = story.drawn(cast, 1.0)
    return [(item, _moved(pose, cast.side * 800 * far)) for item, pose in laid] if far < 1 else [], None


def write_clips(
    folder: Path, name: str, items: Sequence[Cutout], grounds: Sequence[Image], num: int, seed: int
) -> None:
    """`num` clips of one story, those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(num):
        clip = folder / f"{index:02d}.avi"
        if clip.exists():
            continue
        rng = np.random.default_rng([seed, index])  # the same items and cameras in every story
        first, second = (items[one] for one in rng.choice(len(items), 2, replace=False))
        cast, conditions = cast_of(first, second, rng), Conditions.draw(rng)
        writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (WIDTH_PX, HEIGHT_PX))
        for frame in frames_of(STORIES[name], cast, grounds[index % len(grounds)], conditions, rng):
            writer.write(frame[..., ::-1])
        writer.release()


def num_decided(decisions: Sequence[Decision]) -> int:
    """How many items got an answer."""
    return sum(one.outcome is not Outcome.LEFT_EARLY for one in decisions)


def main() -> None:
    """Print, for each story, how often as many decisions fell as were due."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trashnet", type=Path, required=True)
    parser.add_argument("--empty", type=Path, required=True)
    parser.add_argument("--num", type=int, default=12)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--only", nargs="*", default=[], help="words of the stories to tell")
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    items = items_of(arguments.trashnet, "val", 21, arguments.seed)
    grounds = grounds_of(arguments.empty, arguments.seed)
    print("| what happens after the decision | due | as many | fewer | more |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for name, story in STORIES.items():
            if arguments.only and not any(word in name for word in arguments.only):
                continue
            folder = (arguments.clips or Path(scratch)) / name.replace(" ", "_")
            write_clips(folder, name, items, grounds, arguments.num, arguments.seed)
            clips = sorted(folder.glob("*.avi"))[: arguments.num]
            counts = [num_decided(decisions_over(clip, arguments.overrides)) for clip in clips]
            as_due, fewer = counts.count(story.num_due), sum(count < story.num_due for count in counts)
            low, high = wilson_interval(as_due, len(counts))
            wrong = [clip.stem for clip, count in zip(clips, counts, strict=True) if count != story.num_due]
            print(
                f"| {name} | {story.num_due} | {as_due} of {len(counts)} ({low:.0%} to {high:.0%}) | {fewer} |"
                f" {len(counts) - as_due - fewer} | {' '.join(wrong)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
