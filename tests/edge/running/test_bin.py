from __future__ import annotations

import pytest

from edge.errors import BlackPictureError, CameraError, CameraLostError, UnavailableError
from edge.running.bin import RunningBin
from tests.edge.running.steps import Steps


def test_what_waits_is_attended_to_after_every_tick_also_of_a_blind_camera() -> None:
    attended: list[int] = []
    running = RunningBin(Steps(True, CameraLostError("gone"), False), [lambda: attended.append(1)], lambda: False)  # noqa: FBT003
    assert running.step()
    with pytest.raises(CameraLostError):
        running.step()
    assert not running.step()
    assert len(attended) == 3


@pytest.mark.parametrize("then", [[True], [CameraLostError("gone")]])
def test_a_wish_to_restart_ends_it_after_the_tick_also_with_a_blind_camera(then: list[bool | Exception]) -> None:
    wishes: list[bool] = []
    running = RunningBin(Steps(True, *then), [], lambda: bool(wishes))  # noqa: FBT003
    assert running.step()
    assert not running.wants_restart
    wishes.append(True)
    assert not running.step()
    assert running.wants_restart


def test_a_wish_to_restart_waits_for_the_movement_in_hand_unless_that_hangs() -> None:
    now_s, movements = 100.0, [1]
    running = RunningBin(Steps(True, True), [], lambda: True, lambda: bool(movements), lambda: now_s)  # noqa: FBT003
    assert running.step()
    now_s += 74
    assert running.step(), "an item on its way is not dropped halfway"
    now_s += 2
    assert not running.step()

    movements.clear()
    assert not RunningBin(Steps(), [], lambda: True, lambda: bool(movements)).step()


def test_a_service_whose_camera_stays_away_begins_anew_now_and_then() -> None:
    """What hangs in a driver may end with its process; more often than that, its owner's dashboard would flicker."""
    now_s = 100.0
    blind = Steps(True, *[CameraLostError("unplugged")] * 12)  # noqa: FBT003
    running = RunningBin(blind, [], lambda: False, now_s=lambda: now_s, is_started_again=True)
    assert running.step()
    for _ in range(10):
        now_s += 12
        with pytest.raises(CameraLostError):
            running.step()
    now_s += 12
    with pytest.raises(UnavailableError, match="no picture for 2 min: unplugged") as ended:
        running.step()
    assert not isinstance(ended.value, CameraError), "it is no fault that passes"


@pytest.mark.parametrize(
    ("fault", "is_started_again"), [(BlackPictureError("night"), True), (CameraLostError("unplugged"), False)]
)
def test_a_bin_waits_for_the_morning_and_one_that_nobody_starts_again_for_its_camera(
    fault: CameraError, *, is_started_again: bool
) -> None:
    now_s = 100.0
    running = RunningBin(
        Steps(*[fault] * 12), [], lambda: False, now_s=lambda: now_s, is_started_again=is_started_again
    )
    for _ in range(12):
        now_s += 3600
        with pytest.raises(type(fault)):
            running.step()
