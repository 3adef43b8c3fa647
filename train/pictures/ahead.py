"""Pictures read by threads while the network works, a few ahead of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

Thing = TypeVar("Thing")
Read = TypeVar("Read")


class Reading(Protocol):
    """Passes on pictures, or batches of them, one by one, and may show how many are left; `iter` shows nothing."""

    def __call__(self, things: Sequence[Thing], /) -> Iterable[Thing]: ...


def read_ahead(read: Callable[[Thing], Read], things: Iterable[Thing], num_threads: int) -> Iterator[Read]:
    """What `read` makes of each thing, in their order, by so many threads; two a thread wait in memory, and no more.

    `Executor.map` begins all at once: small pictures are decoded faster than a network looks at them, and thousands of
    them, each as large as its input, would wait.
    """
    with ThreadPoolExecutor(num_threads, "ahead") as pool:
        waiting: deque[Future[Read]] = deque()
        for thing in things:
            waiting.append(pool.submit(read, thing))
            if len(waiting) > 2 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
