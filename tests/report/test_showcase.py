"""Users and pictures on the page are those of the tables, in their order, with their figures."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.io import content_key
from mmrec.report.cards import item_cards
from mmrec.report.gallery import gallery
from mmrec.report.page import render_page
from mmrec.report.thumbnails import Thumbnails, thumbnail
from tests.report.outline import Node, parse
from tests.report.summaries import LISTS
from tests.report.worlds import PROTOCOL, World, draw, pack, page_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def page(world: World) -> str:
    return page_of(world)


def _users(page: str) -> dict[str, Node]:
    return {node.find("h3")[0].find("bdi")[0].text: node for node in parse(page).find("article")}


def _ids(cards: Node) -> list[str]:
    return [node.find("code")[0].text for node in cards.find("li")]


def test_sample_users_go_from_short_to_long_histories(world: World) -> None:
    users = world.showcase(num_users=5).users
    lengths = [user.num_interactions for user in users]
    counts = world.users.column("num_interactions").to_pylist()
    assert lengths == sorted(lengths)
    assert (lengths[0], lengths[-1]) == (min(counts), max(counts))
    assert len({user.user_id for user in users}) == 5


def test_history_is_shown_oldest_to_newest(world: World) -> None:
    user = world.showcase(num_users=1).users[0]
    row = world.users.column("user_id").to_pylist().index(user.user_id)
    items = world.sequences.column("items")[row].as_py()[-12:]
    assert [card.item_id for card in user.history] == [world.item_ids[i - 1] for i in items]


def test_gallery_shows_each_item_once(world: World) -> None:
    twice = pa.concat_tables([world.keywords, world.keywords])
    world_twice = World.__new__(World)
    world_twice.__dict__ = world.__dict__ | {"keywords": twice}
    shown = [entry.card.item_id for entry in world_twice.showcase(num_entries=100).gallery]
    assert shown == sorted(set(world.images.column("item_id").to_pylist()))


def test_lists_are_those_of_the_table_best_first_with_their_scores(world: World, page: str) -> None:
    lists = pl.from_arrow(world.recommendations)
    assert isinstance(lists, pl.DataFrame)
    shuffled = World.__new__(World)
    shuffled.__dict__ = world.__dict__ | {
        "recommendations": lists.reverse().to_arrow().cast(schemas.RECOMMENDATIONS)
    }
    assert page_of(shuffled) == page
    assert len(_users(page)) == 3
    for user_id, node in _users(page).items():
        expected = lists.filter(pl.col("user_id") == user_id).sort("rank")
        shown = node.find("ol")[1]
        assert _ids(shown) == expected["item_id"].to_list()
        scores = [score.text for score in shown.find("div", css="score")]
        assert scores == [f"{score:.3f}" for score in expected["score"]]
        assert float(scores[0]) > float(scores[-1]) > 0
        assert [rank.text for rank in shown.find("span", css="rank")] == [
            str(rank) for rank in expected["rank"]
        ]


def test_held_out_item_of_a_user_is_named_with_its_rank(world: World, page: str) -> None:
    ranks = {row["user_index"]: row for row in world.ranks.to_pylist()}
    places = {name: place for place, name in enumerate(world.users.column("user_id").to_pylist())}
    said = []
    for user_id, node in _users(page).items():
        row = ranks.get(places[user_id])
        if row is None:
            assert "Nothing is held out of this history." in node.text
            continue
        title = world.titles[row["target"] - 1] or world.item_ids[row["target"] - 1]
        expected = f"Held out: {title}, rank {row['rank']:,} of {len(world.item_ids)}."
        assert [line.words for line in node.find("p", css="held-out")] == [expected]
        assert _ids(node.find("ol")[0])[-1] == world.item_ids[row["target"] - 1]
        said.append(expected)
    assert len(said) == 2


def test_what_is_masked_is_no_candidate_of_the_rank(world: World) -> None:
    sequences = world.sequences.column("items").to_pylist()
    places = {name: place for place, name in enumerate(world.users.column("user_id").to_pylist())}
    some = world.showcase(num_users=20, mask_history=True).users
    counted = {user.user_id: user.held_out.num_candidates for user in some if user.held_out}
    assert len(counted) > 10
    for user_id, count in counted.items():
        *history, target = sequences[places[user_id]]
        seen = [item for item in range(1, 37) if item in history and item != target]
        assert count == 36 - len(seen)


def test_of_several_held_out_items_the_last_is_shown(world: World) -> None:
    sequences = world.sequences.column("items").to_pylist()
    places = {name: place for place, name in enumerate(world.users.column("user_id").to_pylist())}
    earlier = [
        {
            **row,
            "target": sequences[row["user_index"]][-2],
            "rank": row["rank"] + 1,
            "history_length": row["history_length"] - 1,
        }
        for row in world.ranks.to_pylist()
    ]
    both = pa.concat_tables([world.ranks, pa.Table.from_pylist(earlier, world.ranks.schema)])
    for ranks, back in ((both, 1), (both.slice(world.ranks.num_rows), 2)):
        changed = copy.copy(world)
        changed.ranks = ranks
        for user in changed.showcase(num_users=20, mask_history=True).users:
            if user.held_out:
                *history, target = sequences[places[user.user_id]][: -back + 1 or None]
                assert user.held_out.card.item_id == world.item_ids[target - 1]
                assert user.held_out.num_candidates == 36 - len({*history} - {target})


@pytest.mark.parametrize("masked", [False, True])
def test_page_says_among_what_is_ranked(world: World, masked: bool) -> None:
    page = render_page(
        title="x",
        datasets=[],
        runs=[],
        protocol=replace(PROTOCOL, mask_history=masked),
        showcase=world.showcase(),
    )
    among = "all items that the user has not had before" if masked else "all items"
    assert f"is held out and ranked among {among}." in parse(page).text
    assert f"ranks the held-out item among {among};" in parse(page).text


def test_one_line_says_how_the_lists_were_made_and_what_they_cover(page: str) -> None:
    text = parse(page).find("section", ident="users")[0].words
    for expected in (
        "made from the whole history, the held-out item included",
        "Each list has the 10 best items, none of them from the history "
        "(recommend.keep_seen: false).",
        "Over all 1,900 users, 1,450 of 3,600 items are recommended to somebody (40.3 % coverage)",
        "7 users had fewer items left, 2 of them none.",
    ):
        assert expected in text


def test_full_lists_are_said_to_be_full(world: World) -> None:
    full = replace(world.showcase(), lists={**LISTS, "num_users_with_fewer": 0})
    page = render_page(title="x", datasets=[], runs=[], protocol=PROTOCOL, showcase=full)
    assert "(40.3 % coverage); no list is shorter." in parse(page).text


def test_cards_say_without_hovering_what_they_are(world: World, page: str) -> None:
    words = {row["item_id"]: row["sentence"] for row in world.keywords.to_pylist()}
    cards = [card for user in _users(page).values() for card in user.find("li")]
    assert len(cards) > 30
    for card in cards:
        item_id = card.find("code")[0].text
        keywords = [node.text for node in card.find("span", css="keywords")]
        assert keywords == ([words[item_id]] if item_id in words else [])
    assert "Hover" not in page
    assert [node for node in parse(page).find("main")[0].walk() if "title" in node.attrs] == []


def test_figures_beside_keywords_are_their_similarities(world: World, page: str) -> None:
    rows = {row["item_id"]: row for row in world.keywords.to_pylist()}
    entries = parse(page).find("ul", css="gallery")[0].find("li")
    assert len(entries) == 12
    for entry in entries:
        row = rows[entry.find("code")[0].text]
        assert [node.text for node in entry.find("dt")] == row["keywords"]
        assert [node.text for node in entry.find("dd")] == [f"{s:.2f}" for s in row["scores"]]


def _two_pictures_each(folder: Path) -> dict[str, Any]:
    """Tables of three items with two pictures each, the last rows first."""
    pictures = {(f"i{place // 2}", place % 2): draw(place) for place in range(6)}
    rows = [
        {"item_id": item_id, "position": position, "content_key": content_key(data)}
        for (item_id, position), data in reversed(pictures.items())
    ]
    words = [
        {
            **row,
            "keywords": [f"w{row['position']}"],
            "scores": [0.5],
            "sentence": f"w{row['position']}",
        }
        for row in rows
    ]
    raw = pack(folder / "raw", {str(key): data for key, data in pictures.items()})
    return {
        "images": pa.Table.from_pylist(rows, schema=schemas.IMAGES),
        "keywords": pa.Table.from_pylist(words, schema=schemas.KEYWORDS),
        "items": schemas.CLEAN_ITEMS.empty_table(),
        "thumbnails": Thumbnails(RawImages(raw)),
        "first": {item_id: thumbnail(pictures[item_id, 0], 128) for item_id in ("i0", "i1", "i2")},
    }


def test_first_picture_of_an_item_is_shown_with_its_own_keywords(tmp_path: Path) -> None:
    tables = _two_pictures_each(tmp_path)
    first = tables.pop("first")
    cards = item_cards(first, **tables)
    assert {name: (card.picture, card.keywords) for name, card in cards.items()} == {
        name: (picture, "w0") for name, picture in first.items()
    }
    entries = gallery(tables["keywords"], tables["items"], tables["thumbnails"], num_entries=9)
    assert {entry.card.item_id: entry.card.picture for entry in entries} == first
    assert [entry.keywords[0].text for entry in entries] == ["w0"] * 3
