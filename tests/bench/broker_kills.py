"""Decisions go on while a real mosquitto is killed and restarted at random moments: does each arrive, in order?

    python -m tests.bench.broker_kills --decisions 1000 --kills 50 --seed 1

Prints one line of JSON; exits with 1 when a decision is missing or out of order.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.clock import SystemClock
from edge.journal import Journal
from edge.publishers.connection import MqttSettings
from edge.publishers.mqtt import MqttPublisher
from tests.edge.publishers.broker import PATIENCE_S, Broker, Gate, Listener
from tests.edge.records import a_record

_DECISION = "sorter/bin-7/decision"


@dataclass(frozen=True)
class Tally:
    """What came out; `tell_*_ms` is how long publishing held the loop, waits for a processor included."""

    decisions: int
    kills: int
    arrived: int
    missing: int
    out_of_order: int
    repeats: int
    tell_p50_ms: float
    tell_p99_ms: float
    tell_max_ms: float
    seconds: float


class UnreliableBroker:
    """Kills and restarts a broker, and keeps everything it ever told a listener."""

    def __init__(self, binary: str, folder: Path, chance: random.Random) -> None:
        self._broker = Broker(binary, folder)
        self.gate = Gate(self._broker.port)
        self._chance = chance
        self.seqs: list[int] = []
        self._listener = self._restart()

    def _restart(self) -> Listener:
        self._broker.start()
        # The listener first: a broker that forgets does not tell it what came before.
        listener = Listener(self._broker.port, _DECISION)
        self.gate.open()
        return listener

    def kill_and_restart(self) -> None:
        self.gate.shut()
        self._broker.kill()
        self._keep()
        time.sleep(self._chance.uniform(0, 0.2))
        self._listener = self._restart()

    def stop(self) -> None:
        self._broker.close()
        self._keep()
        self.gate.close()

    def _keep(self) -> None:
        self.seqs += [int(json.loads(message.payload)["seq"]) for message in self._listener.left_over()]


def run(binary: str, folder: Path, num_decisions: int, num_kills: int, seed: int) -> Tally:
    """Make `num_decisions` while the broker dies `num_kills` times, then wait until all are acknowledged."""
    chance = random.Random(seed)  # noqa: S311 - which moments, not which secrets
    began_s = time.monotonic()
    broker = UnreliableBroker(binary, folder, chance)
    journal = Journal(folder / "journal.sqlite", SystemClock())
    outbox = journal.outbox("mqtt")
    settings = MqttSettings("bin-7", host="127.0.0.1", port=broker.gate.port, retry_min_s=0.02, retry_max_s=0.05)
    publisher = MqttPublisher(settings, outbox)
    publisher.start()
    held_s: list[float] = []

    def break_things() -> None:
        for _ in range(num_kills):
            time.sleep(chance.uniform(0, 0.4))
            broker.kill_and_restart()

    breaker = threading.Thread(target=break_things, name="breaker")
    breaker.start()
    for seq in range(1, num_decisions + 1):
        record = a_record(seq)
        journal.append(record)
        told_s = time.monotonic()
        publisher.tell(record)
        held_s.append(time.monotonic() - told_s)
        # Spread over the kills: one costs about 0.35 s, half of it the pause before it.
        time.sleep(chance.uniform(0, 0.7 * num_kills / num_decisions))
    breaker.join()
    publisher.flush(PATIENCE_S)
    publisher.stop(PATIENCE_S)
    broker.stop()
    backlog = len(outbox.pending(1_000_000))
    journal.close()
    if backlog:
        raise AssertionError(f"{backlog} decisions were never acknowledged")
    return _tally(broker.seqs, num_decisions, num_kills, held_s, time.monotonic() - began_s)


def _tally(seqs: list[int], num_decisions: int, num_kills: int, held_s: list[float], seconds: float) -> Tally:
    steps = [after - before for before, after in zip([0, *seqs], seqs, strict=False)]
    return Tally(
        decisions=num_decisions,
        kills=num_kills,
        arrived=len(set(seqs)),
        missing=len(set(range(1, num_decisions + 1)) - set(seqs)),
        out_of_order=sum(step not in (0, 1) for step in steps),
        repeats=sum(step == 0 for step in steps),
        tell_p50_ms=round(1000 * sorted(held_s)[len(held_s) // 2], 2),
        tell_p99_ms=round(1000 * sorted(held_s)[len(held_s) * 99 // 100], 2),
        tell_max_ms=round(1000 * max(held_s), 2),
        seconds=round(seconds, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mosquitto", default="/usr/sbin/mosquitto")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(asked.mosquitto, Path(folder), asked.decisions, asked.kills, asked.seed)
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")
    sys.exit(1 if tally.missing or tally.out_of_order else 0)


if __name__ == "__main__":
    main()
