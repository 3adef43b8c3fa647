"""A wall clock that jumps by years: a Raspberry Pi has no battery, and may learn the date after it began to sort."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.assembly.core import open_core, open_dispatcher
from edge.assembly.misfits import misfits
from edge.assembly.parts import load_parts
from edge.config import load_config
from edge.records import LiveIds, Recorder
from edge.running.consequences import Consequences
from edge.running.farewell import Farewell
from tests.bench.simulated_day import an_item
from tests.edge.records import JumpingClock

NUM_EACH = 8
BINS = [
    f'bins.{label}={{labels=["{label}"], actuator={{kind="gpio", pin={pin}, pulse_s=0.001}}}}'
    for pin, label in enumerate(("cardboard", "glass", "metal", "paper", "plastic", "trash"), start=4)
]


def test_whatever_the_date_is_each_decision_is_moved_kept_and_numbered(tmp_path: Path) -> None:
    chosen = ["gpio.simulated=true", "movements.min_pause_s=0", "movements.max_age_s=60"]
    chosen += [f"journal.path={tmp_path / 'journal.sqlite'}"]
    config = load_config(None, [*BINS, *chosen], {}, checks=[misfits])
    clock, rng = JumpingClock(), np.random.default_rng(1)
    with Farewell() as stack:
        parts = load_parts(config)
        core = open_core(stack, parts, clock, on_new_model=lambda: None)
        dispatcher = open_dispatcher(stack, parts, core)
        recorder = Recorder(clock, LiveIds(clock), parts.bundle.short_name)
        consequences = Consequences(core.scribe, recorder, dispatcher, core.listeners, on_report=core.outcomes)
        dispatcher.start()
        stack.stopping(dispatcher.stop)
        # Forward, back before the bin was made, to the kernel's first second, and to today.
        for number, year in enumerate((2026, 2031, 2019, 1970, 2026)):
            clock.date = datetime(year, 1, 1, tzinfo=UTC)
            for item in range(number * NUM_EACH + 1, (number + 1) * NUM_EACH + 1):
                clock.advance_to(5.0 * item)
                sight, decision = an_item(item, 5.0 * item, rng)
                for observe in core.observers:
                    observe(sight)
                consequences(decision)
                for attend in (consequences.catch_up, *core.attendants):
                    attend()
        assert not core.budget.is_spent
        assert core.problems.sentences() == []
        decided = core.view.decisions(limit=1000)
    assert [entry.seq for entry in decided] == list(range(1, 5 * NUM_EACH + 1))
    assert [entry.id for entry in decided] == sorted({entry.id for entry in decided})
    assert {entry.problem for entry in decided} == {None}, "no movement came too late"
