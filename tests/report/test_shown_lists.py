"""Lists of runs for the users of the page: ranks and overlaps are those of the tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.report.run_lists import lists_of_run
from mmrec.report.shown_lists import ShownLists
from tests.report.looked_through import lists_of, whole_page
from tests.report.outline import parse
from tests.report.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def lists(world: World) -> ShownLists:
    return lists_of(world)


def test_lists_share_the_items_that_both_have(world: World, lists: ShownLists) -> None:
    places = {name: place for place, name in enumerate(world.users["user_id"].to_pylist())}
    ranks = {row["user_index"]: row for row in world.ranks.to_pylist()}
    said = 0
    for user_id in lists.of_users:
        lines = lists.lines(user_id, "shop-mp4sr")
        assert [line.run for line in lines] == ["shop-popularity", "shop-sasrec", "shop-mp4sr"]
        row = ranks.get(places[user_id])
        if row is None:
            assert {line.rank for line in lines} == {line.shared for line in lines} == {None}
            continue
        # Lists of five begin 3, 1 and 0 items before that of the run that recommends.
        assert [line.shared for line in lines] == [2, 4, 5]
        assert {line.rank for line in lines} == {row["rank"]}
        said += 1
    assert said == 2


def test_the_page_has_a_line_for_each_run_and_the_rank_tinted_on_a_hit(
    world: World, lists: ShownLists
) -> None:
    users = parse(whole_page(world)).find("article")
    assert len(users) == 3
    for user_id, article in zip(lists.of_users, users, strict=True):
        table = article.find("table")[0]
        lines = lists.lines(user_id, "shop-mp4sr")
        shown = [[cell.words for cell in row.children if cell.tag] for row in table.find("tr")[1:]]
        assert shown == [
            [
                line.run,
                "–" if line.rank is None else f"{line.rank:,}",
                "–" if line.shared is None else f"{line.shared} of 5",
            ]
            for line in lines
        ]
        assert len(table.find("td", css="best")) == sum(line.is_hit for line in lines)


def test_of_several_held_out_items_the_list_of_the_last_counts() -> None:
    rows = {
        "user_index": [4, 2, 4],
        "target": [1, 2, 3],
        "rank": [9, 1, 2],
        "target_is_cold": [False] * 3,
        "target_training_count": [1] * 3,
        "history_length": [8, 1, 7],
    }
    lists = {"user_index": rows["user_index"], "items": [[5, 1], [2], []]}
    found = lists_of_run(
        "x",
        pa.table(lists).cast(schemas.LISTS),
        pa.table(rows).cast(schemas.RANKS),
        num_items=5,
        user_indices=[4],
    )
    assert found.of_users == {4: (1, 9, 8, [5, 1])}
    assert found.times.tolist() == [1, 1, 0, 0, 1]
    assert (found.length, found.num_lists) == (2, 3)


def test_runs_without_lists_have_none(tmp_path: Path) -> None:
    ranks = World(tmp_path).ranks
    lists = {"user_index": ranks["user_index"], "items": [[]] * ranks.num_rows}
    table = pa.table(lists, schema=schemas.LISTS)
    found = lists_of_run("x", table, ranks, num_items=36, user_indices=[3])
    assert found.length == found.times.sum() == 0
    assert found.of_users[3].items == []
