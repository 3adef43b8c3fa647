from __future__ import annotations

import queue
import threading

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from edge.actuators.gpio import PulseActuator, PulseSettings
from edge.actuators.look import LookedAtActuator, LookSettings, SceneWatch
from edge.messages import Frame, Phase, Presence, Sight

_PATIENCE_S = 30.0


def a_sight(phase: Phase) -> Sight:
    return Sight(Frame(0, 0.0, np.zeros((2, 2, 3), np.uint8)), Presence(phase))


def test_an_item_that_is_gone_confirms_the_movement(pins: MockFactory) -> None:
    scene = SceneWatch()
    scene(a_sight(Phase.SETTLED))
    relay = LookedAtActuator(PulseActuator(PulseSettings(17, pulse_s=0.001), pins), LookSettings(_PATIENCE_S), scene)
    answers: queue.Queue[bool | None] = queue.Queue()
    thread = threading.Thread(target=lambda: answers.put(relay.actuate()))
    thread.start()
    scene(a_sight(Phase.MOVING))
    scene(a_sight(Phase.EMPTY))
    assert answers.get(timeout=_PATIENCE_S) is True
    thread.join()
    relay.close()


@pytest.mark.parametrize("num_retries", [0, 1, 2])
def test_an_item_that_stays_is_a_jam_after_the_retries(pins: MockFactory, num_retries: int) -> None:
    scene = SceneWatch()
    scene(a_sight(Phase.SETTLED))
    pulse = PulseActuator(PulseSettings(17, pulse_s=0.001), pins)
    relay = LookedAtActuator(pulse, LookSettings(0.001, num_retries), scene)
    assert relay.actuate() is False
    assert [state for _, state in pins.pin(17).states] == [False] + [True, False] * (1 + num_retries)
    relay.close()


def test_making_safe_ends_the_wait_and_answers_nothing(pins: MockFactory) -> None:
    scene = SceneWatch()
    relay = LookedAtActuator(PulseActuator(PulseSettings(17, pulse_s=0.001), pins), LookSettings(_PATIENCE_S), scene)
    answers: queue.Queue[bool | None] = queue.Queue()
    thread = threading.Thread(target=lambda: answers.put(relay.actuate()))
    thread.start()
    while thread.is_alive():
        relay.make_safe()
        thread.join(0.01)
    assert answers.get_nowait() is None
    assert not pins.pin(17).state
    relay.close()
