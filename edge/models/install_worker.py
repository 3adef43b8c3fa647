"""The process that brings a model to a running bin: it fetches, checks and keeps one, and activates nothing.

python -m edge.models.install_worker < Errand as JSON

Apart from the bin, because a damaged model may end whatever loads it. It prints a line of JSON for each step (`Said`).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger(__name__)

_EVERY_S = 1.0


class Errand(BaseModel):
    """What to bring, and into which `edge.models.store.ModelStore`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    sha256: str | None
    folder: Path
    public_key: str | None


class Said(BaseModel):
    """A step: so many bytes are here (of how many, where that is known), `model` is kept, or `error` ended it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_bytes: int = 0
    num_wanted: int | None = None
    model: str | None = None
    error: str | None = None


class _Progress:
    """Says how far a download is, once a second."""

    def __init__(self) -> None:
        self._said_at_s = -_EVERY_S

    def __call__(self, num_bytes: int, num_wanted: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._said_at_s >= _EVERY_S or num_bytes == num_wanted:
            self._said_at_s = now_s
            _say(Said(num_bytes=num_bytes, num_wanted=num_wanted))


def run(errand: Errand) -> None:
    """Do it; what goes wrong is said, not raised."""
    from edge.errors import SorterError  # noqa: PLC0415 - after it has become modest
    from edge.models.fetch import fetched  # noqa: PLC0415
    from edge.models.store import ModelStore  # noqa: PLC0415

    store = ModelStore(errand.folder, errand.public_key)
    try:
        with fetched(errand.url, store.downloads, errand.sha256, _Progress()) as folder:
            _say(Said(model=store.install(folder).short_name))
    except SorterError as error:
        _say(Said(error=str(error)))


def _say(said: Said) -> None:
    print(said.model_dump_json(), flush=True)  # noqa: T201 - the bin reads it


def _be_modest() -> None:
    """Whatever is scarce, the bin's loop has it first; the kernel kills this process before the bin."""
    os.nice(19)
    try:
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    except OSError as error:
        _log.debug("not the first to go when memory is short: %s", error)


if __name__ == "__main__":
    _be_modest()
    run(Errand.model_validate_json(sys.stdin.buffer.read()))
