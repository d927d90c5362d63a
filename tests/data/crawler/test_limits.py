"""Limits that hold over several origins, with a client that only counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from yarl import URL

from mmrec.data.crawler import downloader
from mmrec.data.crawler.decoding import Decoder
from mmrec.data.crawler.downloader import Downloader
from tests.data.crawler.crawls import settings


class Client:
    """Answers 404 to everything, after a moment."""

    def __init__(self) -> None:
        self.in_flight: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    @asynccontextmanager
    async def get(self, target: URL, **_: object) -> AsyncIterator[object]:
        self.asked[str(target)] += 1
        for place in ("everywhere", str(target.host)):
            self.in_flight[place] += 1
            self.most[place] = max(self.most[place], self.in_flight[place])
        await asyncio.sleep(0.01)
        yield SimpleNamespace(status=404, headers={})
        for place in ("everywhere", str(target.host)):
            self.in_flight[place] -= 1


def _download(urls: Iterable[str], **manners: Any) -> Client:
    client = Client()

    async def crawl() -> None:
        session = cast("aiohttp.ClientSession", client)
        loader = Downloader(session, Decoder(0), settings(**manners))
        answers = await asyncio.gather(*(loader.download(url, {}) for url in urls))
        assert {answer.reason for answer in answers} == {"http_404"}

    asyncio.run(asyncio.wait_for(crawl(), timeout=20))
    return client


def test_a_host_is_one_however_its_pages_are_reached() -> None:
    origins = ("http://a.example", "https://a.example", "http://b.example")
    client = _download((f"{at}/{n}" for n in range(8) for at in origins), requests_per_host=2)
    assert client.most == {"everywhere": 4, "a.example": 2, "b.example": 2}
    # Each origin has rules of its own (RFC 9309).
    assert all(client.asked[f"{at}/robots.txt"] == 1 for at in origins)


def test_no_more_connections_are_open_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloader, "_MAX_CONNECTIONS", 5)
    client = _download(f"http://{n}.example/{m}" for n in range(20) for m in range(3))
    assert client.most["everywhere"] == 5
