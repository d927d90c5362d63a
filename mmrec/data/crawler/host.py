"""One host: how many requests at a time, how often, and when to leave it alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mmrec.data.crawler.failure import FetchError
from mmrec.data.crawler.settings import CrawlSettings


class Host:
    """Turns for requests to one host: a name and its port, of which the usual ones are one.

    After too many transient failures in a row the host rests; then one request tries it.
    If that fails, too, the host is given up and every further turn is refused.
    """

    def __init__(self, settings: CrawlSettings) -> None:
        self.interval_s = settings.min_interval_s
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.requests_per_host)
        self._probing = asyncio.Lock()
        self._next_start = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._given_up = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn; the request is made inside.

        Raises:
            FetchError: `host_unavailable`, if the host was given up.
        """
        async with self._slots:
            if not self._rests():
                async with self._counted():
                    yield
                return
            # One request at a time finds out whether the host is back.
            async with self._probing, self._counted(probe=self._rests()):
                yield

    def pause(self, seconds: float) -> None:
        """Make no request for as long as the server asks for, or none at all any more."""
        if seconds > self._settings.max_wait_s:
            self._given_up = True
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _rests(self) -> bool:
        return self._failures >= self._settings.host_failures

    @asynccontextmanager
    async def _counted(self, *, probe: bool = False) -> AsyncIterator[None]:
        await self._wait()
        try:
            yield
        except FetchError as failure:
            if failure.transient:
                self._count_failure(probe=probe)
            else:
                self._failures = 0
            raise
        self._failures = 0

    def _count_failure(self, *, probe: bool) -> None:
        if probe:
            self._given_up = True
        rested = self._rests()
        self._failures += 1
        if self._rests() and not rested:
            self._not_before = max(self._not_before, time.monotonic() + self._settings.cool_down_s)

    async def _wait(self) -> None:
        while True:
            if self._given_up:
                raise FetchError("host_unavailable", sent=False)
            now = time.monotonic()
            start = max(self._not_before, self._next_start)
            if start <= now:
                # Nothing is awaited between the check and this: no other request starts now.
                self._next_start = now + self.interval_s
                return
            await asyncio.sleep(start - now)
