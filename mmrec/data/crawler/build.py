"""Crawl params in, crawler out."""

from __future__ import annotations

from pathlib import Path

from mmrec.data.crawler.crawl import Crawler
from mmrec.data.crawler.settings import CrawlSettings
from mmrec.params.datasets import CrawlParams


def build_crawler(params: CrawlParams, directory: Path) -> Crawler:
    """Build the crawler that keeps what it has fetched in `directory`."""
    return Crawler(
        directory,
        CrawlSettings(
            contact=params.contact,
            edition=params.edition,
            retry=tuple(params.retry),
            requests_per_host=params.requests_per_host,
            min_interval_s=params.min_interval_s,
            attempts=params.attempts,
            backoff_s=params.backoff_s,
            max_wait_s=params.max_wait_s,
            host_failures=params.host_failures,
            cool_down_s=params.cool_down_s,
            timeout_s=params.timeout_s,
            max_image_bytes=params.max_image_bytes,
            allow_networks=params.allow_networks,
        ),
    )
