"""One job after the other, and no more of them than may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event, current_thread

import pytest

from mmrec.serving.worker import BusyError, Worker


def test_jobs_are_done_in_turn_by_one_thread_and_no_more_may_wait() -> None:
    go, done = Event(), list[int]()

    def job(number: int) -> Callable[[], str]:
        def do() -> str:
            assert go.wait(20)
            done.append(number)
            return current_thread().name

        return do

    async def ask() -> set[str]:
        worker = Worker("one", waiting=2)
        tasks = [asyncio.ensure_future(worker.do(job(number))) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await worker.do(job(4))
        go.set()
        names = {*await asyncio.gather(*tasks)}
        assert await worker.do(lambda: "free") == "free"
        worker.close()
        return names

    assert len(asyncio.run(ask())) == 1
    assert done == [1, 2, 3]


def test_who_stops_waiting_gives_the_place_free_and_an_error_does_too() -> None:
    go = Event()

    def fail() -> None:
        raise ValueError("no")

    async def ask() -> None:
        worker = Worker("one", waiting=1)
        first = asyncio.ensure_future(worker.do(lambda: go.wait(20)))
        second = asyncio.ensure_future(worker.do(lambda: True))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        third = asyncio.ensure_future(worker.do(fail))
        await asyncio.sleep(0)
        go.set()
        assert await first
        with pytest.raises(ValueError, match="no"):
            await third
        for _ in range(3):
            assert await worker.do(lambda: True)
        worker.close()

    asyncio.run(ask())
