"""Where the page is, and who may look."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PageSettings:
    """`port` 0 takes a free one; `token` None admits everyone who reaches `host`; `hosts` are further names of it.

    `patience_s` is how long a connection may be silent before it is closed; `answer_s` how long a request may take,
    however slowly its answer is read: an export may be some megabytes over bad radio.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    patience_s: float = 15.0
    answer_s: float = 600.0
