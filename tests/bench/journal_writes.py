"""How much does a decision write to the disk: the record, its trace, what became of the movement, an outbox?

    python -m tests.bench.journal_writes --decisions 2000

Counts what the kernel says this process sent to the disk (write_bytes of /proc/self/io), so the folder must lie
on a real one. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.clock import SystemClock
from edge.journal import Journal
from edge.messages import Actuation
from tests.edge.records import a_record

# As long as that of an item which is decided after a dozen frames.
_TRACE = json.dumps({"frames": [{"t_s": 12.05, "sharpness": 0.13, "scores": {"metal": 0.9}, "invoke_ms": 8.3}] * 12})


@dataclass(frozen=True)
class Tally:
    """Bytes for each decision: in the file, and written to the disk on the way."""

    decisions: int
    kept_bytes: int
    written_bytes: int


def _written() -> int:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


def run(folder: Path, num_decisions: int) -> Tally:
    """Write `num_decisions` as a bin with a broker does."""
    journal = Journal(folder / "journal.sqlite", SystemClock())
    outbox = journal.outbox("mqtt")
    before = _written()
    for seq in range(1, num_decisions + 1):
        journal.append(a_record(seq, commanded=True), _TRACE)
        journal.actuated(
            seq, Actuation("recycling", commanded=True, is_confirmed=None, started_at_s=0, finished_at_s=1)
        )
        outbox.acknowledge(seq)
    journal.close()
    written = _written() - before
    size = (folder / "journal.sqlite").stat().st_size
    return Tally(num_decisions, size // num_decisions, written // num_decisions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--decisions", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        sys.stdout.write(json.dumps(asdict(run(Path(folder), asked.decisions))) + "\n")


if __name__ == "__main__":
    main()
