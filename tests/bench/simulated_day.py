"""Twenty-four hours of decisions, accelerated: is memory flat, the disk bounded, and nothing lost?

    python -m tests.bench.simulated_day [--hours 24] [--every 5]

Everything behind the loop is real: journal, outbox, a mosquitto, JSON lines, the picture ring, the thread of the
actuators on simulated lines. Only the decisions come from a table, and the clock runs as fast as they are
written. Prints a line an hour and one of JSON; exits with 1 when a decision is missing at the broker.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge.assembly.core import open_core, open_dispatcher
from edge.assembly.misfits import misfits
from edge.assembly.parts import load_parts
from edge.benchmark.device import memory_mb
from edge.clock import ReplayClock
from edge.config import load_config
from edge.messages import Box, Decision, Frame, Outcome, Phase, Prediction, Presence, Sight
from edge.records import LiveIds, Recorder
from edge.running.consequences import Consequences
from edge.running.farewell import Farewell
from tests.edge.publishers.broker import Broker, Listener

_MIB = 1 << 20
# Bounds far below a day's decisions, so that the day meets them.
_JOURNAL_BYTES, _KEPT, _PICTURE_BYTES = 4 * _MIB, 5_000, 8 * _MIB
_LABELS = ("cardboard", "glass", "metal", "paper", "plastic", "trash")


def overrides(folder: Path, port: int) -> list[str]:
    """The bin of the day."""
    bins = [f'bins.{label}={{labels=["{label}"], actuator={{kind="gpio", pin={pin}, pulse_s=0.001}}}}'
            for pin, label in enumerate(_LABELS, start=4)]  # fmt: skip
    return [
        *bins,
        "gpio.simulated=true",
        "movements.min_pause_s=0",
        "movements.max_age_s=60",  # the clock runs ahead of the actuators' thread
        f"journal.path={folder / 'journal.sqlite'}",
        f"journal.max_bytes={_JOURNAL_BYTES}",
        f"journal.keep={_KEPT}",
        f"pictures.max_bytes={_PICTURE_BYTES}",
        f"files.path={folder / 'decisions.jsonl'}",
        f"files.max_bytes={_MIB}",
        "mqtt.host=127.0.0.1",
        f"mqtt.port={port}",
        "mqtt.retry_min_s=0.05",
    ]


def an_item(number: int, at_s: float, rng: np.random.Generator) -> tuple[Sight, Decision]:
    """What the loop would have seen and decided."""
    label = _LABELS[number % len(_LABELS)]
    is_known = bool(rng.random() < 0.9)
    confidence = float(rng.uniform(0.6, 1.0) if is_known else rng.uniform(0.2, 0.5))
    image = rng.integers(0, 256, (60, 80, 3), np.uint8).repeat(6, axis=0).repeat(6, axis=1)
    scores = np.full(len(_LABELS), (1 - confidence) / 5, np.float32)
    scores[number % len(_LABELS)] = confidence
    box = Box(100, 80, 200, 160)
    sight = Sight(
        Frame(number, at_s, image), Presence(Phase.SETTLED, box), number, box, Prediction(scores, None, 0.008)
    )
    decision = Decision(
        item_id=number,
        outcome=Outcome.ACCEPTED if is_known else Outcome.UNKNOWN,
        label=label,
        bin=label if is_known else None,
        confidence=confidence,
        margin=confidence / 2,
        reason=f"confident: 4 of 4 frames say {label}",
        first_seen_s=at_s - 1,
        settled_s=at_s - 0.4,
        decided_s=at_s,
        frames_used=4,
        frames_rejected=0,
        scores=dict(zip(_LABELS, map(float, scores), strict=True)),
    )
    return sight, decision


def run(folder: Path, broker: Broker, hours: float, every_s: float) -> dict[str, object]:
    """The day; what it took and what it left."""
    config = load_config(None, overrides(folder, broker.port), {}, checks=[misfits])
    listener = Listener(broker.port, f"sorter/{config.device.id}/decision")
    clock, rng = ReplayClock(), np.random.default_rng(1)
    memory: list[float] = []
    seqs: list[int] = []
    with Farewell() as stack:
        parts = load_parts(config)
        core = open_core(stack, parts, clock, on_new_model=lambda: None)
        dispatcher = open_dispatcher(stack, parts, core)
        consequences = Consequences(
            core.scribe,
            Recorder(clock, LiveIds(clock), parts.bundle.short_name),
            dispatcher,
            core.listeners,
            trace_of=core.tracer.trace,
            on_report=core.outcomes,
        )
        dispatcher.start()
        stack.stopping(dispatcher.stop)
        outbox = core.journal.outbox("mqtt")
        num_decisions = int(hours * 3600 / every_s)
        began_s = time.perf_counter()
        for number in range(1, num_decisions + 1):
            at_s = number * every_s
            clock.advance_to(at_s)
            sight, decision = an_item(number, at_s, rng)
            for observe in core.observers:
                observe(sight)
            consequences(decision)
            for attend in (consequences.catch_up, *core.attendants):
                attend()
            if number % 50 == 0:  # kept as numbers: the messages themselves would look like a leak
                waiting = [listener.messages.get() for _ in range(listener.messages.qsize())]
                seqs += [int(json.loads(message.payload)["seq"]) for message in waiting]
            if number % max(1, int(3600 / every_s)) == 0:
                memory.append(memory_mb()[0])
                print(f"hour {at_s / 3600:4.0f}: {memory[-1]:.1f} MB, {used_mib(folder):.1f} MiB on disk", flush=True)
            # Let the disk, and the broker, a process of its own on the same cores, keep up as in a day.
            while core.scribe.is_late or len(outbox.pending(201)) > 200:
                consequences.catch_up()
                time.sleep(0.01)
        seconds = time.perf_counter() - began_s
    wait_for_last(listener, num_decisions, seqs)
    return {
        "hours": hours,
        "decisions": num_decisions,
        "missing": len(set(range(1, num_decisions + 1)) - set(seqs)),
        "out_of_order": sum(after < before for before, after in pairwise(seqs)),
        "memory_first_hour_mb": memory[0] if memory else None,
        "memory_last_hour_mb": memory[-1] if memory else None,
        "memory_most_mb": max(memory, default=None),
        "disk_mib": round(used_mib(folder), 1),
        "seconds": round(seconds, 1),
    }


def wait_for_last(listener: Listener, num_wanted: int, seqs: list[int]) -> None:
    """Add to `seqs` what the broker still tells, up to the last decision."""
    while not seqs or seqs[-1] < num_wanted:
        seqs.append(int(json.loads(listener.next().payload)["seq"]))


def used_mib(folder: Path) -> float:
    """Everything that the bin has written."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _MIB


def main() -> None:
    """Run it, print it, judge it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds from one item to the next")
    parser.add_argument("--mosquitto", default="/usr/sbin/mosquitto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "broker").mkdir()
        (folder / "bin").mkdir()
        broker = Broker(arguments.mosquitto, folder / "broker")
        broker.start()
        try:
            found = run(folder / "bin", broker, arguments.hours, arguments.every)
        finally:
            broker.close()
    print(json.dumps(found))
    sys.exit(found["missing"] != 0)


if __name__ == "__main__":
    main()
