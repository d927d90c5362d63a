"""Whatever a link or a server says: a row with a reason, and the crawl goes on."""

from __future__ import annotations

import curses.ascii
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from mmrec.data.crawler.failure import FetchError
from mmrec.data.crawler.links import host_of, parse_link, robots_of
from tests.data.crawler.crawls import crawl, reasons
from tests.data.crawler.web import Site, Web, redirects, says
from tests.data.raw_world import jpeg

GOOD = says(jpeg())
PIECES = [
    *("http://", "https://", "HTTP://", "http:", "//", "ftp://", "data:", "user:pw@"),
    *("a", "b.c", "xn--", "xn--a", "a..b", "127.1", "0x7f", "10.0.0.1", "[::1]", "::1", "[v1.x]"),
    *(":0", ":80", ":99999", ":x", "%00", "%zz", "%25eth0", "a" * 64),
    *"/?#@:[]%.\\{|}^`<>-_~=& \t\n\x00",
]
LINKS = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(max_size=3)),
    max_size=8,
).map("".join)
WEB_LINKS = st.tuples(st.sampled_from(["", "http://", "https://"]), LINKS).map("".join)
BAD = ["http://xn--a/x", "http://[::1]x@", "http://a..b/x", f"http://{'a' * 64}.b/x"]
MANY = settings(
    deadline=None,
    max_examples=5,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name leads anywhere, and nobody outside is asked for one."""
    look_up = socket.getaddrinfo

    def numbers_only(
        host: str, port: int, family: int = 0, kind: int = 0, protocol: int = 0, flags: int = 0
    ) -> Any:
        return look_up(host, port, family, kind, protocol, flags | socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)


@settings(deadline=None, max_examples=500)
@given(WEB_LINKS)
def test_a_link_is_an_address_to_the_last_detail_or_has_a_reason(link: str) -> None:
    found = _parsed(link)
    if isinstance(found, str):
        assert found in {"bad_url", "scheme_not_allowed"}
        return
    for one in (found, robots_of(found)):
        assert host_of(URL(str(one))) == host_of(one)
        assert (one.raw_host or "").encode("idna")


def _parsed(link: str) -> URL | str:
    try:
        return parse_link(link)
    except FetchError as failure:
        return failure.reason


@MANY
@given(links=st.lists(WEB_LINKS, min_size=30, max_size=40, unique=True))
@pytest.mark.usefixtures("no_names")
def test_no_link_ends_a_crawl(
    links: list[str], web: Web, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site = web.serve(Site({"good": GOOD}))
    good = site.url("good")
    found = crawl(tmp_path_factory.mktemp("links"), [*links, good], attempts=1)
    assert found.pop(good).reason == ""
    # Some systems take the name * for this machine, where nobody answers.
    refusals = {"bad_url", "scheme_not_allowed", "address_not_allowed", "host_not_found"}
    assert {one.reason for one in found.values()} <= {*refusals, "connection"}


@MANY
@given(targets=st.lists(WEB_LINKS, min_size=30, max_size=40, unique=True))
@pytest.mark.usefixtures("no_names")
def test_no_redirect_ends_a_crawl_of_a_picture_or_of_a_robots_txt(
    targets: list[str], web: Web, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # No server can send control characters in a header.
    answers = [redirects(to) for to in targets if not any(map(curses.ascii.isctrl, to))]
    named = {f"to-{n}": answer for n, answer in enumerate(answers)}
    site = web.serve(Site({**named, "good": GOOD}))
    ruled = [web.serve(Site({"good": GOOD}, robots=answer)) for answer in answers[:10]]
    urls = [*(one.url("good") for one in (site, *ruled)), *map(site.url, named)]
    found = crawl(tmp_path_factory.mktemp("redirects"), urls, attempts=1)
    assert found[site.url("good")].reason == ""
    assert all(found[site.url(path)].reason for path in named)
    assert set(found) == set(urls)


def test_a_robots_txt_that_leads_nowhere_closes_its_site_alone(web: Web, tmp_path: Path) -> None:
    sites = [web.serve(Site({"good": GOOD}, robots=redirects(to))) for to in BAD]
    open_site = web.serve(Site({"good": GOOD}))
    found = crawl(tmp_path, [site.url("good") for site in (*sites, open_site)])
    assert [found[site.url("good")].reason for site in sites] == ["robots_unavailable"] * len(BAD)
    assert found[open_site.url("good")].reason == ""


def test_a_validator_that_no_table_holds_is_not_kept(web: Web, tmp_path: Path) -> None:
    # As a lone surrogate this header would end the crawl at every run.
    site = web.serve(Site({"bytes": says(jpeg(), ETag="\udcff\udcfe"), "good": GOOD}))
    urls = [site.url("bytes"), site.url("good")]
    for edition in "12":
        assert reasons(crawl(tmp_path, urls, edition=edition)) == {"bytes": "", "good": ""}
    assert all("If-None-Match" not in headers for headers in site.headers)


def test_a_client_that_trips_over_an_answer_costs_one_link(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = web.serve(Site({"*": GOOD}))
    ask = aiohttp.ClientSession.get

    def trip(session: aiohttp.ClientSession, url: Any, **more: Any) -> Any:
        if url.path == "/odd":
            raise IndexError("string index out of range")
        return ask(session, url, **more)

    monkeypatch.setattr(aiohttp.ClientSession, "get", trip)
    urls = [site.url("odd"), site.url("good")]
    assert reasons(crawl(tmp_path, urls)) == {"odd": "bad_response", "good": ""}
