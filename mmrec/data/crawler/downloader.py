"""One link in, one answer out: robots, redirects, tries and limits."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from mmrec.data.crawler.body import read_body
from mmrec.data.crawler.decoding import Decoder
from mmrec.data.crawler.failure import (
    FetchError,
    backoff_s,
    failure_of,
    is_of_host,
    is_transient,
    retry_after_s,
)
from mmrec.data.crawler.host import Host
from mmrec.data.crawler.links import host_of, parse_link, redirected, robots_of
from mmrec.data.crawler.robots import MAX_ROBOTS_BYTES, Robots, header_forbids
from mmrec.data.crawler.settings import CrawlSettings

MAX_REDIRECTS = 5
_MAX_CONNECTIONS = 128
"""At a time; where decoding is behind, pictures that wait for it count, too."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a link.

    Attributes:
        reason: why there is no picture; empty if there is one.
        attempts: tries in which a request was made.
        picture: the response with the picture's bytes; None where there is none, and where
            it has not changed.
    """

    reason: str
    attempts: int
    picture: Response | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and, of a 200, the body."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


class Downloader:
    """Fetches links with the manners of its settings."""

    def __init__(
        self, session: aiohttp.ClientSession, decoder: Decoder, settings: CrawlSettings
    ) -> None:
        self._session = session
        self._decoder = decoder
        self._settings = settings
        self._hosts: dict[str, Host] = {}
        # By the address of its robots.txt: a host may have two, with http and https.
        self._robots: dict[URL, asyncio.Task[Robots]] = {}
        self._room = asyncio.Semaphore(_MAX_CONNECTIONS)

    async def download(self, url: str, conditions: dict[str, str]) -> Answer:
        """Fetch a picture, trying again what may pass.

        Args:
            url: its link.
            conditions: headers by which the server may answer that nothing has changed.
        """
        attempts = 0
        for attempt in range(1, self._settings.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(backoff_s(self._settings.backoff_s, attempt - 1))
            try:
                response = await self._follow(url, conditions)
            except FetchError as failure:
                attempts += failure.sent
                answer = Answer(failure.reason, attempts)
                if not failure.transient:
                    break
            else:
                return Answer("", attempts + 1, picture=response)
        return answer

    async def _follow(self, url: str, conditions: dict[str, str]) -> Response | None:
        target = parse_link(url)
        for hop in range(MAX_REDIRECTS + 1):
            try:
                found = await self._fetch(target, conditions)
            except FetchError as failure:
                failure.sent = failure.sent or hop > 0
                raise
            if not isinstance(found, URL):
                return found
            target = found
        raise FetchError("too_many_redirects")

    async def _fetch(self, target: URL, conditions: dict[str, str]) -> Response | URL | None:
        """The picture, or where it is said to be, or nothing if it has not changed."""
        host, rules = self._host(target), robots_of(target)
        if rules not in self._robots:
            self._robots[rules] = asyncio.create_task(self._read_robots(host, rules))
        forbidden = (await self._robots[rules]).forbids(str(target))
        if forbidden:
            raise FetchError(forbidden, sent=False)
        async with AsyncExitStack() as room:
            async with host.turn():
                await room.enter_async_context(self._room)
                response = await self._send(
                    host, target, conditions, self._settings.max_image_bytes
                )
            if response.status in _REDIRECTS:
                return redirected(target, response.headers.get("Location", ""))
            if response.status == 304 and conditions:
                return None
            if response.status != 200:
                raise FetchError(f"http_{response.status}")
            if not self._decoder.is_behind:
                await room.aclose()
            fault = await self._decoder.fault(response.body)
        if fault:
            raise FetchError(fault)
        return response

    def _host(self, target: URL) -> Host:
        name = host_of(target)
        if name not in self._hosts:
            self._hosts[name] = Host(self._settings)
        return self._hosts[name]

    async def _read_robots(self, host: Host, target: URL) -> Robots:
        """Rules of an origin (RFC 9309): all is allowed without, nothing with one out of order."""
        for attempt in range(1, self._settings.attempts + 1):
            if attempt > 1:
                await asyncio.sleep(backoff_s(self._settings.backoff_s, attempt - 1))
            try:
                rules = await self._follow_robots(target)
            except FetchError as failure:
                refusal = failure.reason
                if not failure.transient:
                    break
            else:
                if rules.delay_s > self._settings.max_wait_s:
                    return Robots(refusal="host_unavailable")
                host.interval_s = max(host.interval_s, rules.delay_s)
                return rules
        # A host that nobody reaches says so itself; else it is its robots.txt that is at fault.
        return Robots(refusal=refusal if is_of_host(refusal) else "robots_unavailable")

    async def _follow_robots(self, target: URL) -> Robots:
        for _ in range(MAX_REDIRECTS + 1):
            host = self._host(target)
            async with host.turn(), self._room:
                response = await self._send(host, target, {}, MAX_ROBOTS_BYTES, cut=True)
            if response.status in _REDIRECTS:
                target = redirected(target, response.headers.get("Location", ""))
            elif response.status == 200:
                return Robots.parse(response.body)
            elif response.status >= 500:
                raise FetchError(f"http_{response.status}")
            else:
                return Robots()
        return Robots()

    async def _send(
        self,
        host: Host,
        target: URL,
        headers: dict[str, str],
        max_bytes: int,
        *,
        cut: bool = False,
    ) -> Response:
        try:
            async with self._session.get(
                target, headers=headers, allow_redirects=False
            ) as response:
                return await _read(response, host, max_bytes, cut=cut)
        except (FetchError, MemoryError):
            raise
        # Of all that an answer may do to the client, nothing may end the crawl of other links.
        except Exception as error:
            raise failure_of(error) from error


async def _read(
    response: aiohttp.ClientResponse, host: Host, max_bytes: int, *, cut: bool
) -> Response:
    if is_transient(response.status):
        wait = retry_after_s(response.headers.get("Retry-After"))
        if wait is not None:
            host.pause(wait)
        raise FetchError(f"http_{response.status}", transient=True)
    body = b""
    if response.status == 200:
        forbidden = header_forbids(response.headers.getall("X-Robots-Tag", []))
        if forbidden and not cut:
            raise FetchError(forbidden)
        body = await read_body(response, max_bytes, cut=cut)
    return Response(response.status, response.headers, body)
