"""Items that a run was not trained with: known by content, refused where that says nothing."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from mmrec import Filters, open_run
from mmrec.cli import recommend
from mmrec.io import DataError
from mmrec.library.extending import refuse_ids
from mmrec.library.run import Run
from mmrec.recommender import History, Recommender
from tests.library.test_terminal import call
from tests.library.worlds import item

TEXT = "Useful, red and new."
HEADER = "item_id,title,about,images\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A twin of lamp 3 and an item of words that no other has."""
    path = tmp_path / "new.csv"
    path.write_text(f'{HEADER}twin,A lamp no. 3,"{TEXT}",\nother,<b>Zebra</b> unicorn,,\n')
    return path


def test_a_twin_is_ranked_as_the_item_that_it_is_like(
    table: Path, shop: Path, runs: dict[str, Run]
) -> None:
    run = open_run("tfidf", shop, new_items=table)
    assert run.items["item_id"].to_list() == [*runs["tfidf"].items["item_id"], "twin", "other"]
    assert run.items["title"].to_list()[-2:] == ["A lamp no. 3", "Zebra unicorn"]
    assert run.items["training_count"].to_list()[-2:] == [0, 0]
    found = run.recommend([[item(0)], ["twin"]], 20, filters=Filters(keep_seen=True))
    for place in range(2):
        own = found.filter(pl.col("history") == place)
        scores = dict(own.select("item_id", "score").iter_rows())
        assert scores["twin"] == scores[item(3)] > 0
        assert scores["other"] == 0
        ids = own["item_id"].to_list()
        assert ids.index("twin") > ids.index(item(3)), "of equals the item that was there first"


def test_new_items_have_categories_and_users_keep_their_histories(table: Path, shop: Path) -> None:
    run = open_run("tfidf", shop, new_items=table)
    lamps = run.recommend(run.histories_of(["u3"]), 20, filters=Filters(category="lamp"))
    assert "twin" in lamps["item_id"]
    assert "other" not in lamps["item_id"]


def test_the_terminal_takes_new_items(
    table: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    options = ("--new-items", str(table), "--include", f"twin,{item(3)}", "-k", "2")
    call(recommend, "--run", "tfidf", "--history", item(0), *options)
    assert re.findall(r"twin|i-\d\d", capsys.readouterr().out) == [item(3), "twin"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nx\n", r"column.*item_id"),
        (HEADER, "found no items; write a line for each"),
        (f"{HEADER},x,y,\n", "1 of 1 items have no item_id; give them one"),
        (f"{HEADER}a,x,y,\na,z,y,\n", "found 'a' twice, expected each once; leave one out"),
        (f"{HEADER}{item(3)},x,y,\n", "1 of 1 items are in the catalogue already .*'i-03'"),
        (f"{HEADER}a,x,y,none.jpg\n", r"none\.jpg: file not found, a picture of item 'a'; name"),
        (f"{HEADER}a,x,y,new.csv\n", r"new\.csv: not_an_image, a picture of item 'a'; replace it"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    text: str, says: str, table: Path, shop: Path
) -> None:
    table.write_text(text)
    with pytest.raises((ValueError, DataError), match=says) as found:
        open_run("tfidf", shop, new_items=table)
    assert str(table.parent) in str(found.value)


def test_a_run_that_knows_nothing_of_content_cannot_have_new_items(table: Path, shop: Path) -> None:
    with pytest.raises(ValueError, match=r"run 'sasrec': its model \(sasrec\) reads no content"):
        open_run("sasrec", shop, new_items=table)
    with pytest.raises(ValueError, match="'two' is an ensemble; add new items to one of its parts"):
        open_run("two", shop, new_items=table)
    with pytest.raises(ValueError, match="run 'tfid': did you mean 'tfidf'"):
        open_run("tfid", shop, new_items=table)


class ById(Recommender):
    """A row for each item."""

    def scores(self, history: History):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def item_parameters(self) -> tuple[str, ...]:
        return ("item_ids.weight",)


def test_a_model_with_a_row_for_each_item_cannot_have_new_ones() -> None:
    says = r"its model \(mp4sr\) knows items by their ids, too \(item_ids.weight\)"
    with pytest.raises(ValueError, match=says):
        refuse_ids("mine", "mp4sr", ById(num_items=3, max_sequence_length=2))
