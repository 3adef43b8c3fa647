"""Working for the page off its event loop, and behind the bin's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Part = TypeVar("Part", str, bytes)


class Workers:
    """Two threads for what would hold up the event loop: SQLite, JPEG, the network.

    They keep the process's priority: a lower one would let other processes hold up a thread that has Python's
    lock (GIL), and with it the bin's loop. Measured on a machine short of processors, that halved its rate.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, "page-worker")

    async def do(
        self, work: Callable[Arguments, Answer], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Answer:
        """What `work` gives, called in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *arguments, **named))

    async def stream(self, parts: Iterator[Part]) -> AsyncIterator[Part]:
        """Each of `parts`, made in one of the threads when the one before was sent."""
        while (part := await self.do(next, parts, None)) is not None:
            yield part

    def close(self) -> None:
        """End the threads; work that waits is dropped."""
        self._pool.shutdown(cancel_futures=True)
