"""Looking through the page in a real browser: items are found, points named, lists compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmrec.report.rendering import as_data
from tests.report.browser import CHROMIUM, Browser
from tests.report.looked_through import all_lists, items_of, lists_of, whole_page
from tests.report.outline import parse
from tests.report.worlds import World

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here; `apt-get install chromium` brings one"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def page(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(whole_page(world), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def look(browser: Browser, **asked: str) -> list[str]:
    """Ids of the rows that are left, in their order."""
    found: list[str] = browser.evaluate(
        f"""(() => {{
          const form = document.querySelector("#items form");
          form.reset();
          for (const [name, value] of Object.entries({json.dumps(asked)})) {{
            form.elements[name].value = value;
          }}
          form.dispatchEvent(new Event("input"));
          return [...document.querySelectorAll("#items tbody tr")].filter(row => !row.hidden)
            .map(row => row.querySelector("code").textContent);
        }})()"""
    )
    return found


@needs_browser
def test_items_are_found_by_words_category_kind_and_popularity(
    browser: Browser, page: Path, world: World
) -> None:
    browser.open(page)
    assert look(browser) == world.item_ids
    assert look(browser, words="OAK number 7") == [
        world.item_ids[7],
        world.item_ids[17],
        "item.0027",
    ]
    assert look(browser, words="item.0011") == ["item.0011"]
    assert look(browser, words="<script>alert('x')</script>") == ["item.0000"]
    assert look(browser, category="mug") == world.item_ids[1::3]
    assert look(browser, category="–", words="number 8") == ["item.0008"]
    assert look(browser, kind="cold") == look(browser, least="1") == []
    assert look(browser, most="0") == world.item_ids
    said = "document.querySelector('#items [role=status]').textContent"
    look(browser, category="lamp")
    assert browser.evaluate(said) == "12 of 36 items"


@needs_browser
def test_items_are_ordered_by_how_often_they_are_recommended(
    browser: Browser, page: Path, world: World
) -> None:
    browser.open(page)
    times = {item.item_id: item.times for item in items_of(world).items}
    found = look(browser, order="listed")
    assert found == sorted(world.item_ids, key=lambda item_id: -times[item_id])
    assert look(browser) == world.item_ids


@needs_browser
def test_rows_get_the_pictures_of_their_own_items(
    browser: Browser, page: Path, world: World
) -> None:
    browser.open(page)
    look(browser, order="listed")
    browser.evaluate("document.querySelector('#items').scrollIntoView({behavior: 'instant'})")
    browser.wait_for("document.querySelectorAll('#items td > :is(img, .nopicture)').length >= 8")
    shown: dict[str, Any] = browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#items tbody tr')]"
        ".filter(row => row.cells[0].firstChild).map(row => [row.querySelector('code').textContent,"
        " row.cells[0].firstChild.src || '']))"
    )
    pictures = {item.item_id: item.picture for item in items_of(world).items}
    assert {name: pictures[name] for name in shown} == shown


def tip_of(browser: Browser, run: str, place: int) -> str:
    """What is said with the pointer on an item's point."""
    svg = f"document.querySelector('.of-items:not([hidden]) [data-run={run}] svg')"
    browser.evaluate(f"{svg}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    # Scrolling, of which the page hears with its next frame, hides what was said.
    browser.evaluate("requestAnimationFrame(() => setTimeout(() => { window.rests = true; }))")
    browser.wait_for("window.rests")
    said: str = browser.evaluate(
        f"""(() => {{
          const svg = {svg};
          const frame = svg.getBoundingClientRect(), [x, y] = DATA.maps.places["{run}"][{place}];
          svg.dispatchEvent(new PointerEvent("pointermove", {{
            clientX: frame.left + x * frame.width / 1000,
            clientY: frame.top + y * frame.height / 1000,
          }}));
          return document.querySelector(".tip").innerText.replace(/\\s+/g, " ");
        }})()"""
    )
    return said


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_point_says_which_item_it_is_and_rings_it_on_all_maps(
    browser: Browser, page: Path, world: World, width: int
) -> None:
    browser.open(page, width=width)
    times = all_lists(world)["shop-mp4sr"].times
    for place in (7, 20):
        said = tip_of(browser, "shop-mp4sr", place)
        assert world.titles[place] in said
        assert world.item_ids[place] in said
        assert f"0 training interactions · warm · on {times[place]} lists of shop-mp4sr" in said
        rings = browser.evaluate(
            "[...document.querySelectorAll('.of-items:not([hidden]) .ring')].map(ring =>"
            " [ring.style.visibility, +ring.getAttribute('cx'), +ring.getAttribute('cy')])"
        )
        expected = browser.evaluate(
            f"Object.values(DATA.maps.places).map(all => ['visible', ...all[{place}]])"
        )
        assert rings == expected
        box = browser.evaluate("document.querySelector('.tip').getBoundingClientRect().toJSON()")
        assert box["left"] >= 0
        assert box["right"] <= width


@needs_browser
def test_one_colouring_is_shown_at_a_time_and_arrow_keys_go_from_point_to_point(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    headings = (
        "[...document.querySelectorAll('#maps h3')].filter(one => one.checkVisibility())"
        ".map(one => one.textContent)"
    )
    assert browser.evaluate(headings)[0] == "Items by popularity"
    browser.evaluate("document.querySelectorAll('#maps input')[2].click()")
    assert browser.evaluate(headings) == [
        "Items by how often recommended",
        "Histories by user",
        "Popularity of item and neighbours",
    ]
    went = browser.evaluate(
        """(() => {
          const svg = document.querySelector(".of-items:not([hidden]) figure svg");
          svg.focus({preventScroll: true});
          const press = key => svg.dispatchEvent(new KeyboardEvent("keydown", {key}));
          const ring = svg.querySelector(".ring"), found = [];
          for (let step = 0; step < 4; step++) {
            press("ArrowRight");
            found.push(+ring.getAttribute("cx"));
          }
          press("Escape");
          return [found, document.querySelector(".tip").hidden];
        })()"""
    )
    assert went == [sorted(went[0]), True]
    assert len({*went[0]}) > 1


@needs_browser
def test_two_runs_are_compared_for_every_user(browser: Browser, page: Path, world: World) -> None:
    browser.open(page)
    browser.evaluate(
        "(() => { const form = document.getElementById('pair');"
        " form.elements.second.value = '1'; form.dispatchEvent(new Event('input')); })()"
    )
    shown = browser.evaluate(
        "[...document.querySelectorAll('.sides')].map(box => [...box.querySelectorAll('ol')]"
        ".map(list => [...list.children].map(card => [card.querySelector('code').textContent,"
        " card.classList.contains('shared'), card.classList.contains('target')])))"
    )
    lists = lists_of(world)
    ids = {index: card.item_id for index, card in lists.cards.items()}
    compared = 0
    for own, sides in zip(lists.of_users.values(), shown, strict=True):
        (_, second, first) = own
        if first is None or second is None:
            assert sides == []
            continue
        for side, mine, other in zip(sides, (first, second), (second, first), strict=True):
            assert side == [
                [ids[index], index in other.items, index == mine.target] for index in mine.items
            ]
        compared += 1
    assert compared == 2
    assert "4 of 5 items are on both lists." in browser.evaluate("document.body.innerText")


@needs_browser
def test_without_its_code_the_page_is_whole(browser: Browser, page: Path) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    visible = "[...document.querySelectorAll('{}')].filter(one => one.checkVisibility()).length"
    assert browser.evaluate(visible.format("#items tbody tr")) == 36
    assert browser.evaluate(visible.format("form")) == 0
    assert browser.evaluate(visible.format("#maps svg.map")) == 8
    assert browser.evaluate(visible.format("article table")) == 3
    assert browser.evaluate(visible.format("noscript p")) == 1


def test_nothing_but_the_code_of_the_page_may_run(page: Path) -> None:
    (policy,) = [
        str(node.attrs["content"])
        for node in parse(page.read_text(encoding="utf-8")).find("meta")
        if node.attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")
    assert re.search(r"script-src 'sha256-[\w+/]{43}='$", policy)


def test_no_text_ends_the_data_of_the_page() -> None:
    text = "</script><script>alert(1)</script><!-- \u2028 'x' & \"y\""
    data = as_data({"title": text})
    assert "<" not in data
    assert json.loads(data) == {"title": text}
