"""All links of a dataset: what is here already, what is asked for, and how it ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from tqdm import tqdm

from mmrec.data.crawler.addresses import checked_sockets
from mmrec.data.crawler.decoding import Decoder
from mmrec.data.crawler.downloader import Answer, Downloader, Response
from mmrec.data.crawler.failure import FetchError, may_pass
from mmrec.data.crawler.links import host_of, parse_link
from mmrec.data.crawler.settings import CrawlSettings
from mmrec.data.crawler.store import DownloadStore, LinkState
from mmrec.data.fetch import Download
from mmrec.stage import progress

_HOSTS_AT_ONCE = 256
_WAITING_PER_SLOT = 4
"""Links of a host under way per request that may be: most of them wait before another try."""

_COMMIT_S = 0.5

logger = logging.getLogger(__name__)


class Crawler:
    """Downloads pictures into a store that outlives the process.

    Args:
        directory: of the store; outside the outputs of any stage.
        settings: manners and limits.
    """

    def __init__(self, directory: Path, settings: CrawlSettings) -> None:
        self._settings = settings
        self._store = DownloadStore(directory)
        self._last_commit = time.monotonic()

    def fetch(self, urls: Iterable[str]) -> None:
        """Try every link that has no final answer yet, each once."""
        wanted = [url for url in dict.fromkeys(urls) if self._is_due(url)]
        if not wanted:
            return
        logger.info("%d links to download as %s", len(wanted), self._settings.user_agent)
        reasons: Counter[str] = Counter()
        try:
            asyncio.run(self._crawl(wanted, reasons))
        except KeyboardInterrupt:
            logger.warning(
                "%d of %d links done and kept; the next run continues with the others",
                reasons.total(),
                len(wanted),
            )
            raise
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            self._store.commit()
        failed = ", ".join(f"{reason} {reasons[reason]}" for reason in sorted(reasons) if reason)
        logger.info("downloaded %d%s", reasons[""], failed and f"; failed: {failed}")

    def outcome(self, url: str) -> Download:
        """How a link ended that `fetch` was called with."""
        state = self._store.find(url)
        if state is None:
            raise ValueError(f"{url}: was never asked for")
        key = state.content_key
        num_bytes = 0 if key is None else self._store.num_bytes(key)
        return Download(state.reason, state.attempts, key, num_bytes)

    def read(self, key: bytes) -> bytes:
        """Bytes of a picture that a link ended with."""
        return self._store.read(key)

    def _is_due(self, url: str) -> bool:
        state = self._store.find(url)
        return (
            state is None
            or state.edition != self._settings.edition
            or self._settings.tries_again(state.reason)
        )

    async def _crawl(self, urls: list[str], reasons: Counter[str]) -> None:
        settings = self._settings
        connector = aiohttp.TCPConnector(
            limit=0,
            ttl_dns_cache=300,
            socket_factory=checked_sockets(settings.allow_networks),
        )
        timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        headers = {
            "User-Agent": settings.user_agent,
            "Accept": "image/*",
            "Accept-Encoding": "identity",
        }
        with progress(urls, total=len(urls), unit="link", desc="crawl") as bar:
            async with (
                Decoder(settings.decoders) as decoder,
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=timeout,
                    headers=headers,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                asyncio.TaskGroup() as group,
            ):
                downloader = Downloader(session, decoder, settings)
                at_once = asyncio.Semaphore(_HOSTS_AT_ONCE)
                for links in _by_host(urls):
                    group.create_task(self._crawl_host(links, downloader, at_once, reasons, bar))

    async def _crawl_host(
        self,
        links: list[str],
        downloader: Downloader,
        at_once: asyncio.Semaphore,
        reasons: Counter[str],
        bar: tqdm[str],
    ) -> None:
        queue = iter(links)
        at_a_time = min(len(links), _WAITING_PER_SLOT * self._settings.requests_per_host)
        async with at_once, asyncio.TaskGroup() as group:
            for _ in range(at_a_time):
                group.create_task(self._work(queue, downloader, reasons, bar))

    async def _work(
        self, queue: Iterator[str], downloader: Downloader, reasons: Counter[str], bar: tqdm[str]
    ) -> None:
        for url in queue:
            known = self._store.find(url)
            answer = await downloader.download(url, _conditions(known))
            reasons[self._keep(url, answer, known)] += 1
            bar.update()
            if time.monotonic() - self._last_commit > _COMMIT_S:
                self._store.commit()
                self._last_commit = time.monotonic()

    def _keep(self, url: str, answer: Answer, known: LinkState | None) -> str:
        """Write down how a link ended; returns the reason, if it failed."""
        edition, picture = self._settings.edition, answer.picture
        had_picture = known is not None and known.content_key is not None
        if may_pass(answer.reason) and had_picture:
            # A server that is down for now takes no picture away; the next run asks again.
            return answer.reason
        if answer.reason:
            state = LinkState(edition, answer.reason, answer.attempts)
        elif picture is not None:
            state = LinkState(
                edition,
                "",
                answer.attempts,
                self._store.add_picture(picture.body),
                _validator(picture, "ETag"),
                _validator(picture, "Last-Modified"),
            )
        else:
            assert known is not None
            state = LinkState(
                edition,
                "",
                answer.attempts,
                known.content_key,
                known.etag,
                known.last_modified,
            )
        self._store.put(url, state)
        return answer.reason

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.__exit__(kind, error, trace)


def _by_host(urls: list[str]) -> Iterable[list[str]]:
    hosts: dict[str, list[str]] = {}
    for url in urls:
        try:
            name = host_of(parse_link(url))
        except FetchError:
            name = ""
        hosts.setdefault(name, []).append(url)
    return hosts.values()


def _validator(picture: Response, name: str) -> str | None:
    """A header to send back later; None for one that no table and no request can hold."""
    value = picture.headers.get(name)
    return value if value is not None and value.isascii() and value.isprintable() else None


def _conditions(known: LinkState | None) -> dict[str, str]:
    if known is None or known.content_key is None:
        return {}
    headers = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in headers.items() if value}


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
