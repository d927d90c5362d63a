"""Lists of two runs against each other, by hand; and the page that shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.cli.main import main
from mmrec.report.list_differences import ListDifferences, list_differences
from tests.report.outline import parse
from tests.report.projects import write_project
from tests.report.worlds import World

TARGETS = [1, 2, 3, 4]
FIRST = ([[1, 2], [2, 3], [4, 5], []], [1, 4, 9, 20])
SECOND = ([[2, 1], [5, 6], [3, 4], [4]], [2, 4, 1, 1])


def tables(lists: list[list[int]], ranks: list[int], order: list[int]) -> tuple[pa.Table, pa.Table]:
    """LISTS and RANKS of four users, in some order."""
    columns = {
        "user_index": [0, 1, 2, 3],
        "target": TARGETS,
        "rank": ranks,
        "target_is_cold": [True, False, False, False],
        "target_training_count": [0, 1, 1, 1],
        "history_length": [2, 2, 2, 2],
    }
    of_lists = {"user_index": [0, 1, 2, 3], "items": lists}
    made = (pa.table(of_lists).cast(schemas.LISTS), pa.table(columns).cast(schemas.RANKS))
    return made[0].take(order), made[1].take(order)


@pytest.fixture(scope="module")
def found() -> ListDifferences:
    return list_differences(tables(*FIRST, [2, 0, 3, 1]), tables(*SECOND, [3, 2, 1, 0]), None)


def test_lists_share_what_both_have_wherever_it_stands(found: ListDifferences) -> None:
    assert found.shared.tolist() == [2, 0, 1, 0]
    assert found.shared_counts == [2, 1, 1]


def test_the_held_out_item_is_counted_once(found: ListDifferences) -> None:
    assert found.hits == (1, 1, 2, 0)
    assert sum(found.hits) == len(TARGETS)


def test_who_gains_most_comes_first_and_who_gains_nothing_does_not_come(
    found: ListDifferences,
) -> None:
    assert found.most_gained(4, by_second=True).tolist() == [3, 2]
    assert found.most_gained(1, by_second=True).tolist() == [3]
    assert found.most_gained(4, by_second=False).tolist() == [0]
    assert found.drawn(9).tolist() == [0, 1, 2, 3]


def test_a_part_of_the_users_alone_counts() -> None:
    cold = np.array([True, False, False, False])
    found = list_differences(tables(*FIRST, [0, 1, 2, 3]), tables(*SECOND, [0, 1, 2, 3]), cold)
    assert (found.shared.tolist(), found.hits) == ([2], (1, 0, 0, 0))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return write_project(tmp_path)


def test_the_page_shows_both_lists_with_what_they_share(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compare", "demo-popularity", "demo-itemknn", "--lists", "page.html"])
    assert capsys.readouterr().out.endswith("\nlists side by side: page.html\n")
    page = parse(Path("page.html").read_text())
    # The lists of runs that follow each other in the file begin an item apart.
    assert "On average 4.00 of 5 items are on both lists." in page.text
    headings = [section.find("h2")[0].text for section in page.find("section")]
    assert headings[1:] == [
        "demo-itemknn gains most",
        "demo-popularity gains most",
        "Drawn at random",
    ]
    nobody, first_gains, drawn = page.find("section")[1:]
    assert "There is nobody." in nobody.text
    assert len(first_gains.find("article")) == len(drawn.find("article")) == 8
    places = {name: place for place, name in enumerate(world.users["user_id"].to_pylist())}
    for article in drawn.find("article"):
        user = places[article.find("h3")[0].find("bdi")[0].text]
        history, *sides = article.find("ol")
        items = world.sequences["items"][user].as_py()
        shown = [world.item_ids[item - 1] for item in items][-13:]
        assert [code.text for code in history.find("code")] == shown
        for start, side in enumerate(sides, start=1):
            expected = [(user + start + step) % 36 for step in range(5)]
            cards = side.find("li")
            assert [card.find("code")[0].text for card in cards] == [
                world.item_ids[item] for item in expected
            ]
            assert len(side.find("li", css="shared")) == 4
    assert page.find("script") == []


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo-sasrec"], "--lists: found 3 rows of 3 runs, expected two rows of one run each"),
        (["--part", "cold_positions"], "--lists: found --part cold_positions, of which there are"),
    ],
)
def test_what_has_no_two_lists_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(["compare", "demo-popularity", "demo-itemknn", *arguments, "--lists", "page.html"])
    assert not Path("page.html").exists()


@pytest.mark.usefixtures("world")
def test_a_file_that_is_no_page_is_not_replaced() -> None:
    before = Path("params.yaml").read_bytes()
    with pytest.raises(SystemExit, match=r"--lists params\.yaml: expected a name that ends in"):
        main(["compare", "demo-popularity", "demo-itemknn", "--lists", "params.yaml"])
    assert Path("params.yaml").read_bytes() == before
