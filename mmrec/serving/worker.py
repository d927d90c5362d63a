"""A thread that does one job after the other, and a bounded number of jobs that wait for it.

Ranking takes all cores by itself: two lists at once would only take turns. So requests wait in
line, and the one that finds the line too long hears so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """So many jobs wait that no other may."""


class Worker:
    """One thread.

    Args:
        name: of the thread.
        waiting: jobs that may wait while one is done.
    """

    def __init__(self, name: str, *, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(1, name)
        self._places = BoundedSemaphore(waiting + 1)

    async def do(self, job: Callable[[], T]) -> T:
        """What a job gives, or the error that it raises.

        Raises:
            BusyError: as many jobs wait as may.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            future = self._pool.submit(job)
        except BaseException:
            self._places.release()
            raise
        # When it is done, or when nobody wants it any more; not when somebody stops waiting.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish the job that is being done; those that wait are dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
