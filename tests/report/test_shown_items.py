"""The table of items: all of them, or a sample that says so; figures are those of the tables."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmrec.report import shown_items as shown_items_module
from mmrec.report.cards import MAX_TITLE
from mmrec.report.dataset_tables import TINY_SIDE
from mmrec.report.maps import NUM_ITEMS
from mmrec.report.page import Showcase, render_page
from mmrec.report.sampling import drawn_at_random
from mmrec.report.shown_items import MAX_ITEMS, ShownItems, sampled_items
from mmrec.report.thumbnails import tiny_thumbnail
from tests.report.looked_through import all_lists, items_of
from tests.report.outline import Node, parse
from tests.report.worlds import PROTOCOL, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def section(items: ShownItems) -> Node:
    page = render_page(
        title="x",
        datasets=[],
        runs=[],
        protocol=PROTOCOL,
        showcase=Showcase("shop", "shop-mp4sr"),
        items=items,
    )
    return parse(page).find("section", ident="items")[0]


def test_every_item_is_a_row_with_its_figures(world: World) -> None:
    shown = section(items_of(world))
    rows = shown.find("tbody")[0].find("tr")
    times = all_lists(world)["shop-mp4sr"].times
    assert len(rows) == 36
    for place, row in enumerate(rows):
        category = ("lamp", "mug", "–")[place % 3]
        figures = [cell.words for cell in row.find("td")[1:]]
        assert figures == [category, "0", "warm", f"{times[place]:,}"]
        title = world.titles[place] or "no title"
        assert row.find("th")[0].text == f"{title} {world.item_ids[place]}"
    assert "All 36 items of shop." in shown.words
    assert "19 lists that shop-mp4sr was evaluated with" in shown.words


def test_lists_of_five_for_nineteen_users_have_ninety_five_places(world: World) -> None:
    (lists, *_) = all_lists(world).values()
    assert lists.num_lists == world.ranks.num_rows == 19
    assert lists.times.sum() == 19 * 5


def test_a_large_catalogue_is_a_sample_that_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        shown_items_module, "drawn_at_random", lambda *_: drawn_at_random(36, 9, "x")
    )
    items = items_of(world)
    shown = section(items)
    assert len(shown.find("tbody")[0].find("tr")) == len(items.items) == 9
    assert "9 of the 36 items of shop, drawn at random: the others are not in" in shown.words
    ids = [item.item_id for item in items.items]
    assert ids == sorted(ids)


def test_what_maps_show_is_in_the_table() -> None:
    for number in (50, NUM_ITEMS + 1, 100_000):
        table, on_map = sampled_items(number), sampled_items(number, NUM_ITEMS)
        assert (len(table), len(on_map)) == (min(number, MAX_ITEMS), min(number, NUM_ITEMS))
        assert {*on_map.tolist()} <= {*table.tolist()}
        assert (sampled_items(number) == table).all()
    assert not (drawn_at_random(900, 90, "items") == drawn_at_random(900, 90, "users")).all()


def test_a_title_without_end_takes_little_of_the_page(tmp_path: Path) -> None:
    world = World(tmp_path, titles=("word " * 5000,))
    title = items_of(world).items[0].title
    assert len(title) == MAX_TITLE
    assert title.endswith("…")


def test_pictures_of_the_table_are_small(world: World) -> None:
    pictures = [item.picture for item in items_of(world).items if item.picture]
    assert len(pictures) == 30
    assert all(picture.startswith("data:image/webp;base64,") for picture in pictures)
    assert max(map(len, pictures)) < 2000


def test_no_picture_whatever_is_on_it_takes_more_than_four_kilobytes() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    hardest = np.kron(noise[:64, :64], np.ones((4, 4, 1), np.uint8))
    for pixels in (noise, hardest):
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        assert len(tiny_thumbnail(buffer.getvalue(), TINY_SIDE)) < 4000
