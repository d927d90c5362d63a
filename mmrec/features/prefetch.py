"""Decoding and preparing by threads, a little ahead of what is drawn."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

_NUM_THREADS: Final = min(16, os.cpu_count() or 1)
_AHEAD: Final = 2 * _NUM_THREADS


class Prefetched(Generic[T]):
    """`map(function, items)` by threads: in order, errors of the function at their place.

    Pays for functions that let go of the interpreter's lock, as Pillow's decoders do.
    """

    def __init__(
        self, function: Callable[[Any], T], items: Iterable[Any], *, ahead: int = _AHEAD
    ) -> None:
        """Start nothing yet.

        Args:
            function: must be safe to call from several threads.
            items: drawn by the thread that iterates.
            ahead: results that are held, or being made, beyond what was drawn.
        """
        self._function = function
        self._items = items
        self._ahead = ahead

    def __iter__(self) -> Iterator[T]:
        waiting: deque[Future[T]] = deque()
        pool = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="prefetch")
        try:
            for item in self._items:
                waiting.append(pool.submit(self._function, item))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def then(self, function: Callable[[T], S], *, ahead: int) -> Prefetched[S]:
        """The same with another step, made in one go: what is in between is not held."""
        first = self._function
        return Prefetched(lambda item: function(first(item)), self._items, ahead=ahead)


def prefetched(function: Callable[[S], T], items: Iterable[S], *, ahead: int) -> Prefetched[T]:
    """`map(function, items)` by threads, at most `ahead` beyond what is drawn."""
    if isinstance(items, Prefetched):
        return items.then(function, ahead=ahead)
    return Prefetched(function, items, ahead=ahead)
