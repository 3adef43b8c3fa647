"""Writes one site after another, as calibration does, to be killed while it does so.

    python -m tests.calibration.site_writer FOLDER             goes on until it is killed
    python -m tests.calibration.site_writer FOLDER everywhere  is killed once at each file operation

Says `saved N` after change N. The second form makes FOLDER/0, FOLDER/1 ...: in each a child saves twice and
kills itself at that file operation of its second change; the last one lives to its end.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from calibration.site.site_file import SiteFolder
from edge.bundle import DEFAULT_BUNDLE, load_bundle
from edge.site import HeadStep, SiteDescription, part_name

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir"})


def generation(number: int, bundle_id: str) -> tuple[HeadStep, dict[str, bytes]]:
    """Step `number`: its parts hold the number, and so does the text."""
    contents = {kind: str(number).encode() * 5000 for kind in ("head.npz", "taught.npz")}
    names = {kind: part_name(kind, content) for kind, content in contents.items()}
    step = HeadStep(
        made_at=NOON,
        bundle=bundle_id,
        labels=("can",),
        head=names["head.npz"],
        examples=names["taught.npz"],
        num_examples={"can": number},
    )
    return step, {names[kind]: content for kind, content in contents.items()}


def save(folder: SiteFolder, number: int, bundle_id: str) -> None:
    step, parts = generation(number, bundle_id)

    def edit(old: SiteDescription) -> SiteDescription:
        return old.model_copy(update={"head": step})

    folder.change(edit, parts)
    os.write(sys.stdout.fileno(), f"saved {number}\n".encode())


def die_at(operation_number: int) -> None:
    """Be killed just before the file operation with this number, counted from now."""
    remaining = itertools.count(operation_number, -1)

    def watch(event: str, _arguments: object) -> None:
        if event in OPERATIONS and next(remaining) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def die_everywhere(root: Path, bundle_id: str) -> None:
    """A child for each file operation of a change, until one has so few of them that it lives."""
    for operation_number in itertools.count():
        child = os.fork()
        if child == 0:
            folder = SiteFolder(root / str(operation_number))
            save(folder, 1, bundle_id)
            die_at(operation_number)
            save(folder, 2, bundle_id)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def main() -> None:
    root, bundle_id = Path(sys.argv[1]), load_bundle(DEFAULT_BUNDLE).bundle_id
    if sys.argv[2:] == ["everywhere"]:
        die_everywhere(root, bundle_id)
        return
    for number in itertools.count(1):
        save(SiteFolder(root), number, bundle_id)


if __name__ == "__main__":
    main()
