"""The address: bound before anything slow, answered there, and one message where it cannot be."""

from __future__ import annotations

import argparse
import importlib.util
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from benchmarks.serve import measure, table
from mmrec.cli import serve
from mmrec.library.run import Run
from mmrec.serving.app import create_app
from mmrec.serving.pictures import Pictures
from mmrec.serving.server import address_of, bind, hosts_of, make_server
from tests.library.worlds import item
from tests.report.browser import CHROMIUM, Browser

CARDS = "[...document.querySelectorAll('#{} li .facts')].map(found => found.textContent)"
COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


@contextmanager
def served(app: Starlette, bound: socket.socket) -> Iterator[str]:
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield address_of(bound)
    finally:
        server.should_exit = True
        thread.join()


def call(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    serve.run(parser.parse_args(arguments))


def test_an_answer_comes_over_http(runs: dict[str, Run], pictures: Pictures) -> None:
    with bind("127.0.0.1", 0) as bound:
        app = create_app(runs["popularity"], pictures, hosts=hosts_of(bound))
        # Else small answers wait for the confirmation of their first half, 40 ms each.
        assert bound.proto == socket.IPPROTO_TCP
        with served(app, bound) as address, urllib.request.urlopen(f"{address}health") as answer:
            assert json.load(answer)["run"] == "popularity"
            assert "server" not in answer.headers


def test_the_names_of_an_address() -> None:
    with bind("localhost", 0) as bound:
        assert "localhost" in hosts_of(bound)
        assert address_of(bound).startswith("http://")
    with bind("0.0.0.0", 0) as bound:
        assert hosts_of(bound) == ()


def test_an_address_that_cannot_be_is_one_message() -> None:
    with bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ValueError, match=f"--port {port}: in use on 127.0.0.1 already; name"):
            call("--run", "sasrec", "--port", str(port))
    with pytest.raises(ValueError, match="--port 70000: expected 0 to 65535"):
        call("--run", "sasrec", "--port", "70000")
    with pytest.raises(ValueError, match=r"--host 192\.0\.2\.1: .*name an address of this machine"):
        call("--run", "sasrec", "--host", "192.0.2.1", "--port", "0")
    with pytest.raises(ValueError, match=r"--host a b: no such address here"):
        call("--run", "sasrec", "--host", "a b", "--port", "0")


def test_the_command_says_where_it_serves_and_ends_when_it_is_stopped(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        assert sockets[0].getsockname()[0] == "127.0.0.1"
        raise KeyboardInterrupt

    monkeypatch.chdir(shop)
    monkeypatch.setattr(uvicorn.Server, "run", stop)
    call("--run", "popularity", "--port", "0")
    assert "run 'popularity' is served at http://127.0.0.1:" in capsys.readouterr().out
    with pytest.raises(ValueError, match="run 'popular': did you mean 'popularity'"):
        call("--run", "popular", "--port", "0")


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(serve, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    with pytest.raises(ValueError, match=r"`serve` are not installed \(uvicorn\); .*'\.\[serve\]'"):
        call("--run", "sasrec")


def test_the_benchmark_asks_for_lists(runs: dict[str, Run], pictures: Pictures) -> None:
    with bind("127.0.0.1", 0) as bound:
        here = bound.getsockname()
        with served(create_app(runs["popularity"], pictures), bound):
            found = measure(here, [[item(3)], [item(7)]], 2, 0.1)
            with pytest.raises(RuntimeError, match=r"400: .*'new' is not in the catalogue"):
                measure(here, [["new"]], 1, 0.1)
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert table([found]).splitlines()[-1].startswith("| 2 | ")


def until(browser: Browser, expression: str) -> Any:
    """The value of an expression once it is true."""
    done = browser.send(
        "Runtime.evaluate",
        expression="new Promise(done => { const look = () => { const found = "
        f"{expression}; found ? done(found) : setTimeout(look, 20); }}; look(); }})",
        awaitPromise=True,
        returnByValue=True,
    )
    return done["result"]["value"]


@pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one"
)
def test_a_session_on_the_page(runs: dict[str, Run], pictures: Pictures) -> None:
    def click(place: str) -> None:
        assert until(browser, f"document.querySelector('{place}')?.click() || true")

    def shown(part: str, length: int) -> list[str]:
        cards = CARDS.format(part)
        found: list[str] = until(browser, f"(c => c.length === {length} && c)({cards})")
        return [text.split()[-1] for text in found]

    with bind("127.0.0.1", 0) as bound, Browser() as browser:
        app = create_app(runs["sasrec"], pictures, hosts=hosts_of(bound))
        with served(app, bound) as address:
            browser.visit(address, width=390)
            shown("found", 18)
            browser.evaluate("words.value = 'I-03'; words.dispatchEvent(new Event('input'))")
            assert shown("found", 1) == [item(3)]
            assert until(browser, "document.querySelector('#found img')?.naturalWidth") == 256
            click("#found li button")
            assert shown("session", 1) == [item(3)]
            expected = runs["sasrec"].recommend([[item(3)]], 16)["item_id"].to_list()
            assert shown("recommended", 16) == expected
            click("#found li button + button")
            assert (
                shown("similar", 16) == runs["sasrec"].similar([item(3)], 16)["item_id"].to_list()
            )
            browser.evaluate("document.getElementById('category').value = 'mug'")
            browser.evaluate("category.dispatchEvent(new Event('change'))")
            assert {int(one[2:]) % 3 for one in shown("recommended", 6)} == {2}
            assert browser.evaluate("document.documentElement.scrollWidth") <= 390
            click("#session li button")
            assert shown("recommended", 0) == []
            asked = [
                event["params"]["request"]["url"]
                for event in browser.events
                if event["method"] == "Network.requestWillBeSent"
            ]
            assert all(url.startswith((address, "data:")) for url in asked)
            found = [one for one in browser.events if one["method"] in COMPLAINTS]
            # Item 7 has a picture that does not decode.
            assert [one for one in found if item(7) not in str(one)] == []
