"""Every kind of actuator on real lines, as `sorter actuators test` moves it: gpiozero, lgpio, and a kernel."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.box.box import SORTER
from tests.guest.guest import Guest
from tests.guest.lines import Change

CONFIG = "/tmp/actuators.toml"  # noqa: S108 - of a machine that is thrown away
TRYING = "trying"
PATIENCE_S = 3000.0
PYTHON = "/opt/sorter/bin/python"
HOLD = """
import lgpio, time
lgpio.gpio_claim_output(lgpio.gpiochip_open(0), 17)
print("held", flush=True)
time.sleep(9000)
"""

BINS = """
[gpio]
chip = 0
[bins.lamp]
actuator = { kind = "gpio", pin = 17, pulse_s = 0.3 }
[bins.relay]
actuator = { kind = "gpio", pin = 27, pulse_s = 0.3, active_high = false }
[bins.gate]
actuator = { kind = "gpio", pin = 23, pulse_s = 20.0 }
confirm = { by = "switch", pin = 5, num_retries = 0 }
[bins.barrier]
actuator = { kind = "gpio", pin = 24, pulse_s = 0.2 }
confirm = { by = "light_barrier", pin = 6, timeout_s = 0.2, num_retries = 1 }
[bins.stop]
actuator = { kind = "carousel", position = 8 }
[carousel]
step_pin = 20
direction_pin = 21
home_pin = 16
enable_pin = 12
steps_per_turn = 2000
step_s = 0.02
drop_s = 0.1
"""


@pytest.fixture
def bench(guest: Guest) -> Guest:
    """A guest whose lines nobody holds."""
    guest("systemctl", "stop", "sorter")
    guest.write(CONFIG, BINS)
    return guest


def given(guest: Guest, num_before: int, line: int) -> list[Change]:
    """What this line was given since then."""
    return [change for change in guest.lines.changes()[num_before:] if change.line == line]


def pulses_s(changes: list[Change], *, is_on: bool = True) -> list[float]:
    """How long each time that it was on, or off, lasted; without what came before the first change."""
    return [after.at_s - before.at_s for before, after in pairwise(changes) if before.is_on is is_on is not after.is_on]


def begin(guest: Guest, name: str) -> None:
    """Move this bin's actuator, while the test goes on."""
    guest("systemd-run", f"--unit={TRYING}", "--property=RemainAfterExit=yes", SORTER, "actuators", "test", name,
          "--config", CONFIG)  # fmt: skip


def end(guest: Guest) -> str:
    """What it said; waits for it."""
    show = ("systemctl", "show", TRYING, "-p", "SubState", "--value")
    guest.wait(lambda: guest(*show) in {"exited", "failed"}, PATIENCE_S)
    return guest("journalctl", "-u", TRYING, "-o", "cat", "--no-pager")


def test_a_lamp_and_a_relay_are_on_for_as_long_as_they_should_and_off_before_and_after(bench: Guest) -> None:
    num_before = len(bench.lines.changes())
    assert bench(SORTER, "actuators", "test", "lamp", "relay", "--config", CONFIG) == "lamp: moved\nrelay: moved"
    for line, is_on in ((17, True), (27, False)):
        changes = given(bench, num_before, line)
        lengths_s = pulses_s(changes, is_on=is_on)
        assert len(lengths_s) == 1
        assert 0.29 < lengths_s[0] < 0.4
        # A relay that switches at low must not click while its line is claimed: high is what it is given first.
        assert changes[0].is_on is not is_on


def test_a_switch_that_answers_confirms_and_one_that_does_not_is_a_jam(bench: Guest) -> None:
    num_before = len(bench.lines.changes())
    begin(bench, "gate")
    bench.wait(lambda: any(change.is_on for change in given(bench, num_before, 23)), PATIENCE_S)
    bench.lines.pull(5, up=False)
    assert "gate: confirmed" in end(bench)

    num_before = len(bench.lines.changes())
    answer = bench.run([SORTER, "actuators", "test", "barrier", "--config", CONFIG])
    assert answer.returncode == 1
    assert "barrier: bin barrier: the movement was not confirmed; look for a jam" in answer.stdout
    assert len(pulses_s(given(bench, num_before, 24))) == 2, "once, and once again"


def test_a_carousel_seeks_home_turns_to_its_place_and_comes_back(bench: Guest) -> None:
    num_before = len(bench.lines.changes())
    begin(bench, "stop")
    bench.wait(lambda: len(pulses_s(given(bench, num_before, 20))) > 5, PATIENCE_S)
    assert {change.is_on for change in given(bench, num_before, 21)} == {False}, "towards home"
    bench.lines.pull(16, up=False)
    assert "stop: confirmed" in end(bench)
    # Forwards begins where the direction goes up, and backwards where it goes down again.
    turned = given(bench, num_before, 21)
    up_s = next(change.at_s for change in turned if change.is_on)
    steps = [change.at_s for change in given(bench, num_before, 20) if change.is_on and change.at_s > up_s]
    down_s = next(change.at_s for change in turned if not change.is_on and change.at_s > up_s)
    assert sum(at_s < down_s for at_s in steps) == 8
    assert sum(at_s > down_s for at_s in steps) == 8
    assert given(bench, num_before, 12)[-1].is_on, "the driver is let go"


def test_a_test_that_is_stopped_in_the_middle_leaves_its_line_off(bench: Guest) -> None:
    num_before = len(bench.lines.changes())
    begin(bench, "gate")
    bench.wait(lambda: any(change.is_on for change in given(bench, num_before, 23)), PATIENCE_S)
    bench("systemctl", "stop", TRYING)
    assert not bench.lines.is_on(23)
    assert pulses_s(given(bench, num_before, 23))[0] < 20.0


def test_a_line_that_another_program_holds_is_named(bench: Guest) -> None:
    bench("systemd-run", "--unit=holder", PYTHON, "-c", HOLD)
    bench.wait(lambda: "held" in bench("journalctl", "-u", "holder", "-o", "cat", "--no-pager"), PATIENCE_S)
    answer = bench.run([SORTER, "actuators", "test", "lamp", "--config", CONFIG])
    assert answer.returncode == 75
    assert "pin 17: cannot be claimed" in answer.stderr
