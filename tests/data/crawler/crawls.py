"""Crawls of the small web."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from mmrec.data.crawler.crawl import Crawler
from mmrec.data.crawler.settings import CrawlSettings
from mmrec.data.fetch import Download

MANNERS: dict[str, Any] = {
    "contact": "owner@example.org",
    "edition": "1",
    "retry": (),
    "requests_per_host": 8,
    "min_interval_s": 0.0,
    "attempts": 2,
    "backoff_s": 0.01,
    "max_wait_s": 2.0,
    "host_failures": 1000,
    "cool_down_s": 0.1,
    "timeout_s": 1.5,
    "max_image_bytes": 1 << 20,
    "allow_networks": (ip_network("127.0.0.0/8"),),
    "decoders": 1,
}


def settings(**changes: Any) -> CrawlSettings:
    return CrawlSettings(**{**MANNERS, **changes})


def crawl(folder: Path, urls: Iterable[str], **changes: Any) -> dict[str, Download]:
    """How each link ends, by link."""
    urls = list(urls)
    with Crawler(folder / "store", settings(**changes)) as crawler:
        crawler.fetch(urls)
        return {url: crawler.outcome(url) for url in urls}


def reasons(outcomes: dict[str, Download]) -> dict[str, str]:
    """Reason by the last part of the link."""
    return {url.rpartition("/")[2]: found.reason for url, found in outcomes.items()}
