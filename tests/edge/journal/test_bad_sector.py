"""A card that answers with an error where it should give back the journal, as after a power cut amid a write.

The C library's own read is stood in for, in a process of its own: no file system here forgets a sector when asked to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.clock import ReplayClock
from edge.journal import Journal

SOURCE = Path(__file__).with_name("bad_sector.c")
# One that is killed leaves its write-ahead log; of 300 decisions some have reached the file itself.
KILLED = """
import os, sys
from edge.clock import ReplayClock
from edge.journal import Journal
from tests.edge.records import fill
journal = Journal(sys.argv[1], ReplayClock())
fill(journal, 300)
os._exit(0)
"""
AGAIN = """
import sys
from contextlib import closing
from edge.clock import ReplayClock
from edge.journal import Journal
from tests.edge.records import fill
with closing(Journal(sys.argv[1], ReplayClock())) as journal:
    print(len(journal.decisions(limit=999)), "damaged-1" in (journal.complaint or ""))
    fill(journal, 1)
"""


@pytest.fixture(scope="module")
def bad_sector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that does not read it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    library = tmp_path_factory.mktemp("card") / "bad_sector.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    return library


@pytest.mark.parametrize(
    ("suffix", "first_byte", "fewest", "most"),
    [
        pytest.param("-wal", 0, 1, 299, id="the head of its log"),
        pytest.param("-wal", 20_000, 2, 299, id="in its log"),
        pytest.param("", 0, 0, 0, id="the head of the file"),
    ],
)
def test_what_the_card_does_not_give_back_is_put_aside(
    path: Path, bad_sector: Path, suffix: str, first_byte: int, fewest: int, most: int
) -> None:
    subprocess.run([sys.executable, "-c", KILLED, path], check=True)
    bad = path.with_name(path.name + suffix).stat().st_ino
    where = {"BAD_INODE": str(bad), "BAD_FROM": str(first_byte), "BAD_TO": str(first_byte + 512)}
    answer = subprocess.run(
        [sys.executable, "-c", AGAIN, path],
        env={**os.environ, "LD_PRELOAD": str(bad_sector), **where},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    num_kept, is_told = answer.stdout.split()
    assert fewest <= int(num_kept) <= most
    assert is_told == "True"
    journal = Journal(path, ReplayClock())
    assert journal.next_seq == int(num_kept) + 2
    journal.close()
