"""How often, how many at a time, and when a host is left alone."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from mmrec.data.crawler.failure import backoff_s, may_pass, retry_after_s
from mmrec.data.crawler.robots import header_forbids
from tests.data.crawler.crawls import crawl
from tests.data.crawler.web import Site, Web, hang_up, in_turn, redirects, says
from tests.data.raw_world import jpeg

GOOD = says(jpeg())


def test_a_host_has_as_many_requests_at_a_time_as_it_may_have(web: Web, tmp_path: Path) -> None:
    site = web.serve(Site({"*": says(jpeg(), delay_s=0.02)}))
    crawl(tmp_path, [site.url(str(n)) for n in range(24)], requests_per_host=3)
    assert site.most_in_flight == 3


def test_requests_to_a_host_keep_their_distance_and_other_hosts_do_not_wait(
    web: Web, tmp_path: Path
) -> None:
    sites = [web.serve(Site({"*": GOOD})) for _ in range(4)]
    started = time.monotonic()
    crawl(tmp_path, [site.url(str(n)) for n in range(6) for site in sites], min_interval_s=0.1)
    # Six pictures and robots.txt: six intervals a host, at the same time.
    assert 0.6 <= time.monotonic() - started < 2.0
    for site in sites:
        times = sorted(moment for _, moment in site.requests)
        assert times[-1] - times[0] >= 0.55


def test_the_delay_that_robots_txt_asks_for_is_kept(web: Web, tmp_path: Path) -> None:
    robots = says(b"User-agent: mmrec-crawler\nCrawl-delay: 0.2\n")
    site = web.serve(Site({"*": GOOD}, robots))
    started = time.monotonic()
    crawl(tmp_path, [site.url(str(n)) for n in range(4)])
    assert time.monotonic() - started >= 0.6


ROBOTS = {
    "none": (says(status=404), ""),
    "for members": (says(status=401), ""),
    "broken": (says(status=500), "robots_unavailable"),
    "out of order for good": (says(status=501), "robots_unavailable"),
    "busy": (says(status=429), "robots_unavailable"),
    "busy once": (in_turn(says(status=503), says(b"")), ""),
    "no answer": (hang_up, "connection"),
    "closed": (says(b"User-agent: *\nDisallow: /\n"), "robots_disallowed"),
    "open for us": (
        says(b"User-agent: *\nDisallow: /\n\nUser-agent: MMRec-Crawler\nAllow: /\n"),
        "",
    ),
    "slower than we wait": (says(b"User-agent: *\nCrawl-delay: 86400\n"), "host_unavailable"),
    "no text": (says(b"\xff\xfe no robots \x00 file"), ""),
    "elsewhere": (redirects("/rules"), "robots_disallowed"),
    "nowhere": (redirects("/robots.txt"), ""),
    "too long": (says(b"#" * (1 << 20) + b"\nUser-agent: *\nDisallow: /\n"), ""),
}
"""What a robots.txt says to its reason for not fetching a picture."""


def test_robots_txt_decides(web: Web, tmp_path: Path) -> None:
    rules = says(b"User-agent: *\nDisallow: /good")
    sites = {
        name: web.serve(Site({"good": GOOD, "rules": rules}, robots))
        for name, (robots, _) in ROBOTS.items()
    }
    found = crawl(tmp_path, [site.url("good") for site in sites.values()])
    assert {name: found[site.url("good")].reason for name, site in sites.items()} == {
        name: reason for name, (_, reason) in ROBOTS.items()
    }
    for name, site in sites.items():
        assert site.counts["good"] == (not ROBOTS[name][1]), name


def test_a_host_that_fails_and_fails_is_left_alone(web: Web, tmp_path: Path) -> None:
    down, up = web.serve(Site({"*": says(status=503)})), web.serve(Site({"*": GOOD}))
    urls = [site.url(str(n)) for n in range(60) for site in (down, up)]
    found = crawl(tmp_path, urls, host_failures=5, requests_per_host=2)
    verdicts = Counter(found[url].reason for url in urls if f":{down.port}/" in url)
    assert verdicts["host_unavailable"] > 40
    # Five in a row, those on their way, and one to see whether it is back.
    assert down.counts.total() <= 5 + 2 + 2
    assert all(not found[url].reason for url in urls if f":{up.port}/" in url)


def test_a_host_that_comes_back_is_crawled_to_the_end(web: Web, tmp_path: Path) -> None:
    busy = [says(status=503)] * 5
    site = web.serve(Site({"*": in_turn(*busy, GOOD)}))
    urls = [site.url(str(n)) for n in range(20)]
    found = crawl(tmp_path, urls, host_failures=5, attempts=4, requests_per_host=1)
    assert {one.reason for one in found.values()} == {""}
    moments = [moment for path, moment in site.requests if path != "robots.txt"]
    assert moments[5] - moments[4] >= 0.1


def test_a_host_that_asks_for_too_long_a_pause_is_left_alone(web: Web, tmp_path: Path) -> None:
    site = web.serve(Site({"*": says(status=429, Retry_After="3600")}))
    started = time.monotonic()
    found = crawl(tmp_path, [site.url(str(n)) for n in range(9)], requests_per_host=1)
    assert time.monotonic() - started < 3
    assert {one.reason for one in found.values()} == {"host_unavailable"}
    assert site.counts.total() == 1


def test_a_slow_host_does_not_hold_up_the_others(web: Web, tmp_path: Path) -> None:
    slow = web.serve(Site({"*": says(jpeg(), delay_s=0.3)}))
    fast = web.serve(Site({"*": GOOD}))
    urls = [slow.url(str(n)) for n in range(4)] + [fast.url(str(n)) for n in range(8)]
    crawl(tmp_path, urls, requests_per_host=2)
    assert max(moment for _, moment in fast.requests) < max(moment for _, moment in slow.requests)


def test_retry_after_is_seconds_or_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after_s("120") == 120.0
    assert 85 < (retry_after_s(format_datetime(later, usegmt=True)) or 0) <= 90
    assert retry_after_s("Fri, 01 Jan 1999 00:00:00 GMT") == 0.0
    assert retry_after_s("soon") is None
    assert retry_after_s("²") is None
    assert retry_after_s("Mon, 01 Jan 2024 00:00:00 +99999999999999999999") is None
    assert retry_after_s(None) is None


def test_backoff_grows_and_is_drawn_anew_each_time() -> None:
    waits = [[backoff_s(1.0, attempt) for _ in range(200)] for attempt in (1, 4, 30)]
    for drawn, longest in zip(waits, (1, 8, 60), strict=True):
        assert longest / 2 < max(drawn) <= longest
        assert min(drawn) < longest / 4


def test_what_may_pass_is_told_from_what_will_not() -> None:
    assert all(map(may_pass, ("http_503", "http_429", "timeout", "truncated", "connection")))
    assert not any(map(may_pass, ("", "http_404", "http_501", "not_an_image", "tls")))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], ""),
        (["all"], ""),
        (["NoIndex"], "x_robots_noindex"),
        (["nofollow, noimageai"], "x_robots_noimageai"),
        (["nofollow", "none"], "x_robots_none"),
        (["otherbot: noindex, noai"], ""),
        (["otherbot: noindex, mmrec-crawler: noai"], "x_robots_noai"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "x_robots_noai"),
        (["max-image-preview: none"], ""),
    ],
)
def test_headers_for_robots_are_read(values: list[str], reason: str) -> None:
    assert header_forbids(values) == reason
