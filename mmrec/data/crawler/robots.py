"""What a server's robots.txt and headers allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from protego import Protego

from mmrec.data.crawler.settings import ROBOT

MAX_ROBOTS_BYTES = 500 * 1024
"""As much of robots.txt is read (RFC 9309 asks for no less)."""

_FORBIDDING = ("noai", "noimageai", "noindex", "noimageindex", "none")
_WITH_VALUE = ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview")


@dataclass(frozen=True)
class Robots:
    """Rules of one origin.

    Attributes:
        rules: what its robots.txt says; None if nothing is said, or nothing could be read.
        refusal: the reason why nothing may be fetched, whatever the rules.
    """

    rules: Protego | None = None
    refusal: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Robots:
        """Read a robots.txt, of which lines that make no sense are passed over."""
        return cls(Protego.parse(data[:MAX_ROBOTS_BYTES].decode("utf-8", "replace")))

    def forbids(self, url: str) -> str:
        """The reason why `url` may not be fetched; empty if it may."""
        if self.refusal:
            return self.refusal
        if self.rules is not None and not self.rules.can_fetch(url, ROBOT):
            return "robots_disallowed"
        return ""

    @property
    def delay_s(self) -> float:
        """Time between two requests that the host asks for."""
        return 0.0 if self.rules is None else self.rules.crawl_delay(ROBOT) or 0.0


def header_forbids(values: Iterable[str]) -> str:
    """The reason why `X-Robots-Tag` headers keep a picture from use; empty if they do not.

    A header may be for one robot (`otherbot: noindex, nofollow`) or for all.
    """
    for value in values:
        for_us = True
        for part in value.lower().split(","):
            name, colon, directive = part.strip().partition(":")
            if colon and name.strip() not in _WITH_VALUE:
                for_us = name.strip() in {ROBOT, "*"}
            else:
                directive = name
            if for_us and directive.strip() in _FORBIDDING:
                return f"x_robots_{directive.strip()}"
    return ""
