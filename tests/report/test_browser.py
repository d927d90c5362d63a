"""The page in a real browser: nothing fails, nothing is fetched, nothing overflows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.browser import CHROMIUM, Browser
from tests.report.looked_through import whole_page
from tests.report.worlds import World

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one"
)

_COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("page")
    path = directory / "index.html"
    path.write_text(whole_page(World(directory)), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_page_loads_whole_and_silent_from_a_file(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    assert browser.evaluate("document.images.length") > 20
    browser.wait_for("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert [event for event in browser.events if event["method"] in _COMPLAINTS] == []
    requests = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_page_is_never_wider_than_its_window(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    overflowing = browser.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert overflowing == []


def test_picture_that_would_leave_the_page_is_blocked(
    browser: Browser, path: Path, tmp_path: Path
) -> None:
    leaky = tmp_path / "leaky.html"
    text = path.read_text(encoding="utf-8")
    leaky.write_text(text.replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'))
    browser.open(leaky)
    refused = [event for event in browser.events if event["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in str(event) for event in refused)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_colour_schemes(
    browser: Browser, path: Path, scheme: str
) -> None:
    browser.send(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    browser.open(path)
    faint = browser.evaluate(
        """(() => {
          const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
          const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .04045
            ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
          const ground = e => { for (; e; e = e.parentElement) {
            const c = parse(getComputedStyle(e).backgroundColor); if (c[3] !== 0) return c; } };
          return [...document.querySelectorAll('body *')].filter(e => !e.closest('svg') &&
            [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).filter(e => {
              const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
              return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
            }).map(e => e.outerHTML.slice(0, 120));
        })()"""
    )
    assert faint == []


def test_table_that_goes_on_says_so_on_a_phone(browser: Browser, path: Path) -> None:
    hints = "[...document.querySelectorAll('.hint')].map(e => e.getBoundingClientRect().height)"
    browser.open(path)
    assert set(browser.evaluate(hints)) == {0}
    browser.open(path, width=390)
    assert min(browser.evaluate(hints)) > 0
    going_on = browser.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => [e.className, e.previousElementSibling.className.includes('hint'),"
        " getComputedStyle(e).backgroundImage.includes('gradient')])"
    )
    assert going_on == [["scroll pinned", True, True]]


def test_stacked_tables_name_every_figure(browser: Browser, path: Path) -> None:
    browser.open(path, width=390)
    labels = browser.evaluate(
        "[...document.querySelectorAll('.stack td')]"
        ".map(e => getComputedStyle(e, '::before').content)"
    )
    assert len(labels) > 40
    assert not {"none", '""', "normal"} & set(labels)


@pytest.fixture
def printed(browser: Browser, path: Path) -> Iterator[Browser]:
    """The page as on paper: US letter less margins."""
    browser.send("Emulation.setEmulatedMedia", media="print")
    browser.open(path, width=739)
    yield browser
    browser.send("Emulation.setEmulatedMedia", media="")


def test_paper_holds_what_is_folded_and_nothing_to_click(printed: Browser) -> None:
    # What is folded keeps its own height: only the room that it gets tells whether it is laid open.
    folded = printed.evaluate(
        "[...document.querySelectorAll('details')].map(e => [e.lastElementChild.checkVisibility(),"
        " e.lastElementChild.getBoundingClientRect().height,"
        " e.getBoundingClientRect().bottom - e.lastElementChild.getBoundingClientRect().bottom])"
    )
    assert len(folded) == 5
    for is_visible, height, room_below in folded:
        assert is_visible
        assert height > 50
        assert room_below >= 0
    assert printed.evaluate("document.querySelector('nav').getBoundingClientRect().height") == 0
    assert printed.evaluate("getComputedStyle(document.querySelector('.hint')).display") == "none"


def test_nothing_leaves_the_paper(printed: Browser) -> None:
    leaving = printed.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('svg')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert leaving == []
    pdf = printed.send("Page.printToPDF", printBackground=True)["data"]
    assert pdf.startswith("JVBER")
