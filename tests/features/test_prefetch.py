"""Decoding ahead: the same as one after the other, and never far ahead."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from mmrec.features import prefetch
from mmrec.features.prefetch import Prefetched, prefetched


def _slowly(number: int) -> int:
    time.sleep(random.random() * 0.002)
    return number * number


def _threads() -> int:
    return sum(thread.name.startswith("prefetch") for thread in threading.enumerate())


def test_results_come_in_order_whatever_takes_longest() -> None:
    assert list(Prefetched(_slowly, range(200), ahead=7)) == [n * n for n in range(200)]
    assert list(Prefetched(_slowly, [])) == []


def test_no_more_than_a_bounded_number_is_drawn_ahead() -> None:
    drawn: list[int] = []

    def count() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    for taken, _ in enumerate(Prefetched(_slowly, count(), ahead=5), start=1):
        assert len(drawn) <= taken + 5


def test_an_error_is_raised_at_its_place() -> None:
    def picky(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = iter(Prefetched(picky, range(10), ahead=8))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert _threads() == 0


def test_stopping_early_leaves_no_thread_and_starts_nothing_more() -> None:
    begun: list[int] = []

    def slow(number: int) -> int:
        begun.append(number)
        time.sleep(0.005)
        return number

    results = iter(Prefetched(slow, range(1_000), ahead=50))
    next(results)
    assert _threads() > 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert _threads() == 0
    assert len(begun) < 51


def test_a_second_step_is_made_in_the_same_go() -> None:
    """What lies between the steps, decoded pictures, is held by working threads alone."""
    lock, between, most = threading.Lock(), 0, 0

    def first(number: int) -> int:
        nonlocal between, most
        with lock:
            between += 1
            most = max(most, between)
        time.sleep(0.001)
        return number

    def second(number: int) -> int:
        nonlocal between
        with lock:
            between -= 1
        return -number

    both = prefetched(second, Prefetched(first, range(100)), ahead=64)
    for place, result in enumerate(both):
        assert result == -place
    assert between == 0
    assert 0 < most <= prefetch._NUM_THREADS < 64
    assert list(prefetched(second, [1, 2], ahead=1)) == [-1, -2]
