from __future__ import annotations

import threading

import pytest

from train.pictures.ahead import read_ahead


def test_things_are_read_in_order_and_few_of_them_wait() -> None:
    begun, lock = [0], threading.Lock()

    def read(number: int) -> int:
        with lock:
            begun[0] += 1
        return number * number

    squares = read_ahead(read, range(100), 2)
    assert [next(squares) for _ in range(10)] == [number * number for number in range(10)]
    assert begun[0] <= 10 + 4
    assert list(squares) == [number * number for number in range(10, 100)]


def test_what_goes_wrong_in_a_thread_is_raised_where_it_would_be_used() -> None:
    read = read_ahead(lambda number: 1 // (2 - number), range(5), 1)
    assert [next(read), next(read)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(read)
