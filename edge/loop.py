"""One tick of the bin: look, follow the item, classify, decide, and hand the decision on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from edge.cameras.base import Camera
from edge.classifiers.base import Classifier
from edge.errors import CameraError, StaleFrameError
from edge.items.tracking import Target, Tracker
from edge.messages import Box, Decision, Frame, Image, InputSpec, Item, Phase, Prediction, Presence, Sight
from edge.running.telemetry import Stage, Telemetry


class PresenceDetector(Protocol):
    """What lies before the camera; see `edge.presence`."""

    def update(self, frame: Frame) -> Presence:
        """The state after this frame; frames come in order."""
        ...


class Policy(Protocol):
    """When an item's evidence is enough; see `edge.deciding.decision`."""

    def decide(self, item: Item, now_s: float) -> Decision | None:
        """The decision that is due now, or None: wait for more."""
        ...


class Loop:
    """The bin's heartbeat. Everything it needs is given to it; it owns nothing.

    `prepare` crops, resizes and turns (`edge.preprocess.to_input`); `on_decision` is called once for each
    item, in the thread of the loop, and must write the decision down before anything moves. `on_sight`
    is called in each tick, in that thread too, before decisions fall: it must not block. `is_moving` says whether the
    bin itself moves: a flap before the camera is no more an item than an arm.
    """

    def __init__(
        self,
        *,
        camera: Camera,
        presence: PresenceDetector,
        prepare: Callable[[Image, InputSpec, Box | None, int], Image],
        classifier: Classifier,
        tracker: Tracker,
        policy: Policy,
        on_decision: Callable[[Decision], None],
        telemetry: Telemetry,
        max_age_s: float,
        on_sight: Callable[[Sight], None] = lambda _: None,
        is_moving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._camera = camera
        self._presence = presence
        self._prepare = prepare
        self._classifier = classifier
        self._tracker = tracker
        self._policy = policy
        self._on_decision = on_decision
        self._telemetry = telemetry
        self._max_age_s = max_age_s
        self._on_sight = on_sight
        self._is_moving = is_moving
        self._first_frame_s: float | None = None
        self._last_frame_s = 0.0

    @property
    def began_s(self) -> float:
        """When the first frame was taken, on the loop's clock; 0 before there is one."""
        return self._first_frame_s or 0.0

    @property
    def duration_s(self) -> float:
        """Seconds from the first frame to the newest one."""
        return self._last_frame_s - self.began_s

    @property
    def frame_s(self) -> float:
        """The mean time between the frames so far, seconds; 0 before the second one."""
        num_gaps = self._telemetry.num_frames - 1
        return self.duration_s / num_gaps if num_gaps > 0 else 0.0

    def step(self) -> bool:
        """Take one frame all the way; False when the source has ended. Blocks for at most `max_age_s`.

        Raises:
            CameraError: there is no fresh frame to decide on.
            StorageError: the decision could not be written down; nothing was moved.
        """
        frame = self._look()
        if frame is None:
            return False
        self._last_frame_s = frame.captured_at_s
        if self._first_frame_s is None:
            self._first_frame_s = frame.captured_at_s
        with self._telemetry.timed(Stage.PRESENCE):
            presence = self._presence.update(frame)
        if self._is_moving():
            presence = replace(presence, has_arm=True)
        target = self._tracker.follow(presence, frame.captured_at_s)
        if target is None:
            self._on_sight(Sight(frame, presence))
        else:
            prediction = self._classify(frame, target)
            self._on_sight(Sight(frame, presence, target.item_id, target.box, prediction, target.num_turns))
        self._decide(frame.captured_at_s)
        self._telemetry.saw(presence.phase)
        return True

    @property
    def is_idle(self) -> bool:
        """Nothing lies before the camera, no item waits for its decision, and the last one is where it belongs."""
        is_empty = self._telemetry.phase is Phase.EMPTY and not self._tracker.waiting()
        return is_empty and not self._is_moving()

    @property
    def telemetry(self) -> Telemetry:
        """Timings and counts so far."""
        return self._telemetry

    def run_to_end(self) -> None:
        """Step until the source has ended."""
        while self.step():
            pass
        self.finish()

    def finish(self) -> None:
        """Nothing more is seen: an item that still waits has left undecided. Call it after the last step."""
        self._tracker.end()
        self._decide(self._last_frame_s)

    def _look(self) -> Frame | None:
        """The next frame. With the camera goes the item that waits: nobody knows what will lie there afterwards."""
        try:
            with self._telemetry.timed(Stage.CAPTURE):
                return self._camera.next_frame(self._max_age_s)
        except StaleFrameError:
            # One late frame; a camera that gives no more says so in another way.
            raise
        except CameraError:
            self.finish()
            self._telemetry.phase = Phase.EMPTY
            raise

    def _classify(self, frame: Frame, target: Target) -> Prediction:
        with self._telemetry.timed(Stage.CROP):
            picture = self._prepare(frame.image, self._classifier.input_spec, target.box, target.num_turns)
        with self._telemetry.timed(Stage.CLASSIFY):
            prediction = self._classifier.classify(picture)
        self._tracker.add(target, prediction)
        return prediction

    def _decide(self, now_s: float) -> None:
        for item in self._tracker.waiting():
            with self._telemetry.timed(Stage.DECIDE):
                decision = self._policy.decide(item, now_s)
            if decision is not None:
                self._tracker.close(item.item_id)
                self._on_decision(decision)
