"""One crawl of a web that misbehaves in every way: each link ends with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mmrec.data.fetch import Download
from mmrec.io import content_key
from tests.data.crawler.crawls import crawl
from tests.data.crawler.web import (
    Endless,
    Site,
    Web,
    bomb,
    cut_off,
    hang_up,
    in_turn,
    packed,
    redirects,
    says,
    trickle,
)
from tests.data.raw_world import jpeg

GOOD = jpeg()
ANSWERS = {
    "good": says(GOOD, Content_Type="image/jpeg"),
    "good-as-html": says(GOOD, Content_Type="text/html"),
    "html-as-jpeg": says(b"<html>not found</html>", Content_Type="image/jpeg"),
    "gone": says(status=404),
    "forbidden": says(status=403),
    "broken": says(status=500),
    "no-content": says(status=204),
    "broken-once": in_turn(says(status=503), says(GOOD)),
    "later": in_turn(says(status=429, Retry_After="1"), says(GOOD)),
    "cut-off": cut_off,
    "hang-up": hang_up,
    "hang-up-once": in_turn(hang_up, says(GOOD)),
    "trickle": trickle,
    "bomb": says(bomb()),
    "empty": says(),
    "half": says(GOOD[: len(GOOD) // 2]),
    "packed": packed(GOOD),
    "packed-bomb": packed(bytes(64 << 20)),
    "not-packed": says(GOOD, Content_Encoding="gzip"),
    "too-large": says(bytes((1 << 20) + 1)),
    "hop-1": redirects("/hop-2"),
    "hop-2": redirects("hop-3", 301),
    "hop-3": redirects("/hop-4", 303),
    "hop-4": redirects("/hop-5", 307),
    "hop-5": redirects("/good", 308),
    "hop-0": redirects("/hop-1"),
    "round": redirects("/round"),
    "to-metadata": redirects("http://169.254.169.254/latest/meta-data"),
    "to-file": redirects("file:///etc/passwd"),
    "to-nowhere": says(status=302),
    "to-bad-name": redirects("http://xn--a/x"),
    "to-empty-label": redirects("http://a..b/x"),
    "to-half-address": redirects("http://[::1]x@"),
    "noai": says(GOOD, X_Robots_Tag="noai, nofollow"),
    "noindex-for-us": says(GOOD, X_Robots_Tag="mmrec-crawler: noindex"),
    "noindex-for-another": says(GOOD, X_Robots_Tag="otherbot: noindex, noai"),
    "secret/one": says(GOOD),
}
"""Path to what it answers."""

# Path to reason and attempts.
EXPECTED = {
    "good": ("", 1),
    "good-as-html": ("", 1),
    "html-as-jpeg": ("not_an_image", 1),
    "gone": ("http_404", 1),
    "forbidden": ("http_403", 1),
    "broken": ("http_500", 2),
    "no-content": ("http_204", 1),
    "broken-once": ("", 2),
    "later": ("", 2),
    "cut-off": ("truncated", 2),
    "hang-up": ("connection", 2),
    "trickle": ("timeout", 2),
    "bomb": ("too_many_pixels", 1),
    "empty": ("empty_file", 1),
    "half": ("damaged_image", 1),
    "packed": ("", 1),
    "packed-bomb": ("file_too_large", 1),
    "not-packed": ("bad_response", 1),
    "too-large": ("file_too_large", 1),
    "endless": ("file_too_large", 1),
    "hop-1": ("", 1),
    "hop-0": ("too_many_redirects", 1),
    "round": ("too_many_redirects", 1),
    "to-metadata": ("address_not_allowed", 1),
    "to-file": ("scheme_not_allowed", 1),
    "to-nowhere": ("bad_response", 1),
    "to-bad-name": ("bad_url", 1),
    "to-empty-label": ("bad_url", 1),
    "to-half-address": ("bad_url", 1),
    "to-closed-site": ("robots_disallowed", 1),
    "noai": ("x_robots_noai", 1),
    "noindex-for-us": ("x_robots_noindex", 1),
    "noindex-for-another": ("", 1),
    "secret/one": ("robots_disallowed", 0),
}
ELSEWHERE = {
    "ftp://127.0.0.1/x.jpg": "scheme_not_allowed",
    "x.jpg": "scheme_not_allowed",
    "http://": "bad_url",
    "http://[half/x.jpg": "bad_url",
    "http://xn--a/x": "bad_url",
    "http://[::1]x@": "bad_url",
    "http://a..b/x": "bad_url",
    "http:///x": "bad_url",
    "http://10.0.0.1/x.jpg": "address_not_allowed",
    "http://169.254.169.254/x.jpg": "address_not_allowed",
    "http://[::ffff:10.0.0.1]/x.jpg": "address_not_allowed",
}


@dataclass
class World:
    found: dict[str, Download]
    site: Site
    closed: Site
    endless: Endless

    def of(self, path: str) -> Download:
        return self.found[self.site.url(path)]


@pytest.fixture(scope="module")
def world(web: Web, tmp_path_factory: pytest.TempPathFactory) -> World:
    closed = web.serve(Site({"*": says(GOOD)}, robots=says(b"User-agent: *\nDisallow: /\n")))
    endless = Endless()
    robots = says(b"User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /secret/\n")
    answers = {**ANSWERS, "endless": endless, "to-closed-site": redirects(closed.url("good"))}
    site = web.serve(Site(answers, robots))
    outside = [
        *ELSEWHERE,
        site.url("good", "[::1]"),
        site.url("good", "2130706433"),
        site.url("good", "127.1"),
        site.url("good", "localhost"),
        "http://127.0.0.1:1/refused",
    ]
    urls = [*map(site.url, [*EXPECTED, "hang-up-once"]), *outside]
    return World(crawl(tmp_path_factory.mktemp("world"), urls), site, closed, endless)


@pytest.mark.parametrize("path", EXPECTED)
def test_a_link_ends_with_its_reason_after_as_many_tries_as_make_sense(
    world: World, path: str
) -> None:
    found = world.of(path)
    assert (found.reason, found.attempts) == EXPECTED[path]
    assert (found.content_key is None) == bool(found.reason)


def test_a_picture_is_what_decodes(world: World) -> None:
    for path in ("good", "good-as-html", "packed", "hop-1", "broken-once"):
        assert world.of(path).content_key == content_key(GOOD)
        assert world.of(path).num_bytes == len(GOOD)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_link_that_may_not_be_followed_is_not(world: World, url: str) -> None:
    assert world.found[url].reason == ELSEWHERE[url]
    assert world.found[url].attempts == 0


@pytest.mark.parametrize(
    ("host", "reason"),
    [("[::1]", "address_not_allowed"), ("2130706433", "bad_url"), ("127.1", "bad_url")],
)
def test_another_spelling_of_an_address_is_refused(world: World, host: str, reason: str) -> None:
    assert world.found[world.site.url("good", host)].reason == reason


def test_a_connection_that_breaks_is_tried_again(world: World) -> None:
    # The client itself tries a connection that was kept open from an earlier request again.
    assert world.of("hang-up-once").reason == ""
    assert world.site.counts["hang-up-once"] == 2


def test_a_name_of_an_allowed_network_is_followed(world: World) -> None:
    assert world.found[world.site.url("good", "localhost")].reason == ""


def test_a_refused_connection_is_said_so(world: World) -> None:
    assert world.found["http://127.0.0.1:1/refused"].reason == "connection"


def test_requests_are_as_many_as_attempts(world: World) -> None:
    counts = world.site.counts
    assert counts["gone"] == counts["too-large"] == counts["half"] == 1
    assert counts["broken"] == counts["cut-off"] == 2
    assert counts["secret/one"] == 0
    assert world.closed.counts.total() == 0


def test_robots_txt_is_asked_for_once_a_host_and_first(world: World) -> None:
    # Once for 127.0.0.1 and once for localhost.
    paths = [path for path, _ in world.site.requests]
    assert paths[0] == "robots.txt"
    assert paths.count("robots.txt") == 2


def test_every_request_says_who_asks(world: World) -> None:
    agents = {headers["User-Agent"] for headers in world.site.headers}
    assert agents == {"mmrec-crawler/1.0 (+owner@example.org)"}


def test_an_endless_answer_is_cut_off_soon(world: World) -> None:
    assert world.endless.sent < 32 << 20


def test_retry_after_is_waited_for(world: World) -> None:
    first, second = [moment for path, moment in world.site.requests if path == "later"]
    assert second - first >= 1.0


def test_without_an_allowed_network_no_name_leads_to_this_machine(web: Web, tmp_path: Path) -> None:
    site = web.serve(Site({"*": says(GOOD)}))
    hosts = ("localhost", "127.0.0.1", "[::1]", "0x7f000001", "0.0.0.0", "[::ffff:7f00:1]")
    found = crawl(tmp_path, [site.url("good", host) for host in hosts], allow_networks=())
    assert {one.reason for one in found.values()} == {"address_not_allowed"}
    assert site.requests == []
