"""Manners and limits of a crawl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

ROBOT = "mmrec-crawler"
"""The name by which robots.txt may address it."""


@dataclass(frozen=True)
class CrawlSettings:
    """What a crawl may do.

    A host is a name and its port; http and https on their usual ports are one.

    Attributes:
        contact: an address or page for a server's owner.
        edition: another word asks servers whether what is here has changed.
        retry: reasons for which a failed link is tried again; `http_4xx` and `http_5xx`
            stand for all of their kind.
        requests_per_host: most requests to one host at a time.
        min_interval_s: between the starts of two requests to one host.
        attempts: most tries of a link whose failures are transient.
        backoff_s: scale of the wait before another try.
        max_wait_s: longest pause that a server may ask for.
        host_failures: transient failures in a row after which a host rests.
        cool_down_s: how long it rests.
        timeout_s: of one request, from its start to the last byte.
        max_image_bytes: a longer answer is cut off and refused.
        allow_networks: networks that may be reached although they are not public.
        decoders: processes that decode; no result depends on it.
    """

    contact: str
    edition: str
    retry: tuple[str, ...]
    requests_per_host: int
    min_interval_s: float
    attempts: int
    backoff_s: float
    max_wait_s: float
    host_failures: int
    cool_down_s: float
    timeout_s: float
    max_image_bytes: int
    allow_networks: Sequence[IPv4Network | IPv6Network]
    decoders: int = 2

    @property
    def user_agent(self) -> str:
        """Who asks, and whom to turn to."""
        return f"{ROBOT}/1.0 (+{self.contact})"

    def tries_again(self, reason: str) -> bool:
        """Whether a link that failed for `reason` is tried again."""
        kind = f"{reason[:6]}xx" if reason.startswith("http_") else reason
        return reason in self.retry or kind in self.retry
