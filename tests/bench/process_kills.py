"""A deciding process is killed with SIGKILL at random moments: is a decision lost, doubled, or moved unwritten?

    python -m tests.bench.process_kills --kills 200 --seed 1

The child decides without pause, each item into a bin of its own, so that what moved can be told apart.
It notes what it decided, wrote and moved by appending to a file, which outlives it. Prints one line of
JSON; exits with 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.actuators.worker import ActuationThread, WorkerSettings
from edge.clock import SystemClock
from edge.journal import Journal, JournalReader
from edge.publishers.connection import MqttSettings
from edge.publishers.mqtt import MqttPublisher
from edge.records import DecisionRecord, LiveIds, Recorder
from edge.running.consequences import Consequences, Outcomes
from edge.running.problems import Problems
from edge.running.scribe import Scribe
from tests.edge.publishers.broker import Broker, Listener
from tests.edge.records import a_decision

_NUM_ITEMS = 100_000


@dataclass(frozen=True)
class Tally:
    """What came out: the first six numbers say what happened, the others must be nought."""

    kills: int
    decided: int
    journalled: int
    moved: int
    told: int
    seconds: float
    lost: int
    doubled: int
    gaps: int
    moved_unwritten: int
    moved_twice: int
    untold: int
    told_out_of_order: int

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        promises = (self.lost, self.doubled, self.gaps, self.moved_unwritten, self.moved_twice)
        return not any(promises) and not self.untold and not self.told_out_of_order


class Witness:
    """Appends lines that outlive a SIGKILL: the kernel has them as soon as `note` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, verb: str, item: int) -> None:
        os.write(self._file, f"{verb} {item}\n".encode())


class WitnessedActuator:
    """Notes that it moved for its item."""

    def __init__(self, witness: Witness, item: int) -> None:
        self._witness = witness
        self._item = item

    def actuate(self) -> None:
        self._witness.note("moved", self._item)

    def make_safe(self) -> None:
        pass

    def close(self) -> None:
        pass


def decide_for_ever(folder: Path, port: int, first_item: int) -> None:
    """The child: items from `first_item` on, until it is killed; one line on stdout for each."""
    clock = SystemClock()
    witness = Witness(folder / "witness")
    journal = Journal(folder / "journal.sqlite", clock)
    scribe = Scribe(journal, Problems())
    actuators = {str(item): WitnessedActuator(witness, item) for item in range(first_item, first_item + 1000)}
    outcomes = Outcomes(scribe, clock, Problems())
    dispatcher = ActuationThread(actuators, clock, outcomes, WorkerSettings(min_pause_s=0.0, queue_size=1000))
    publisher = MqttPublisher(MqttSettings("bin-7", host="127.0.0.1", port=port), journal.outbox("mqtt"))
    recorder = Recorder(clock, LiveIds(clock), "trashnet-lite0@3f2a")

    def tell(record: DecisionRecord) -> None:
        witness.note("wrote", record.decision.item_id)
        publisher.tell(record)
        os.write(1, f"{record.decision.item_id}\n".encode())

    consequences = Consequences(scribe, recorder, dispatcher, [tell], on_report=outcomes)
    dispatcher.start()
    publisher.start()
    for item in range(first_item, first_item + 1000):
        witness.note("decided", item)
        consequences(a_decision(item, bin_name=str(item), at_s=clock.now_s()))
        # Items come seconds apart, which a disk that is slow now and then takes to catch up.
        while scribe.is_late:
            consequences.catch_up()
            time.sleep(0.01)


def run(binary: str, folder: Path, num_kills: int, seed: int) -> Tally:
    """Kill the child `num_kills` times, let the outbox run dry, and hold all notes against the journal."""
    chance = random.Random(seed)  # noqa: S311 - which moments, not which secrets
    began_s = time.monotonic()
    broker = Broker(binary, folder)
    broker.start()
    listener = Listener(broker.port, "sorter/bin-7/decision")
    next_item = 1
    for _ in range(num_kills):
        next_item = 1 + _run_and_kill(folder, broker.port, next_item, chance)
    _tell_the_rest(folder, broker.port)
    broker.close()
    told = [int(json.loads(message.payload)["seq"]) for message in listener.left_over()]
    return _tally(folder, num_kills, told, time.monotonic() - began_s)


def _run_and_kill(folder: Path, port: int, first_item: int, chance: random.Random) -> int:
    """The last item that the child may have touched."""
    command = [sys.executable, "-m", "tests.bench.process_kills", "--child", str(folder), str(port), str(first_item)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert child.stdout is not None
    for _ in range(chance.randint(1, 20)):
        if not child.stdout.readline():
            raise AssertionError("the child ended by itself")
    time.sleep(chance.uniform(0, 0.005))
    child.kill()
    child.wait()
    child.stdout.close()
    return max(item for _, item in _notes(folder))


def _tell_the_rest(folder: Path, port: int) -> None:
    journal = Journal(folder / "journal.sqlite", SystemClock())
    publisher = MqttPublisher(MqttSettings("bin-7", host="127.0.0.1", port=port), journal.outbox("mqtt"))
    publisher.start()
    if not publisher.flush(30.0):
        raise AssertionError("the outbox did not run dry")
    publisher.stop()
    journal.close()


def _notes(folder: Path) -> list[tuple[str, int]]:
    lines = (folder / "witness").read_text(encoding="utf-8").splitlines()
    return [(verb, int(item)) for verb, item in (line.split() for line in lines)]


def _tally(folder: Path, num_kills: int, told: list[int], seconds: float) -> Tally:
    notes = _notes(folder)
    decided, wrote, moved = (
        [item for verb, item in notes if verb == wanted] for wanted in ("decided", "wrote", "moved")
    )
    reader = JournalReader(folder / "journal.sqlite")
    entries = reader.decisions(limit=_NUM_ITEMS)
    reader.close()
    journalled = [int(entry.bin or 0) for entry in entries]
    return Tally(
        kills=num_kills,
        decided=len(decided),
        journalled=len(journalled),
        moved=len(moved),
        told=len(set(told)),
        seconds=round(seconds, 1),
        lost=len(set(wrote) - set(journalled)),
        doubled=_num_doubled(journalled),
        gaps=sum(entry.seq != seq for seq, entry in enumerate(entries, start=1)),
        moved_unwritten=len(set(moved) - set(journalled)),
        moved_twice=_num_doubled(moved),
        untold=len({entry.seq for entry in entries} - set(told)),
        told_out_of_order=sum(after - before not in (0, 1) for before, after in zip([0, *told], told, strict=False)),
    )


def _num_doubled(items: list[int]) -> int:
    return sum(count > 1 for count in Counter(items).values())


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        decide_for_ever(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mosquitto", default="/usr/sbin/mosquitto")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(asked.mosquitto, Path(folder), asked.kills, asked.seed)
    sys.stdout.write(json.dumps(asdict(tally)) + "\n")
    sys.exit(0 if tally.is_clean else 1)


if __name__ == "__main__":
    main()
