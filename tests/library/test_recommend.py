"""Recommending to anybody: the same lists as the pipeline's, whoever asks."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mmrec import Filters, open_dataset
from mmrec.library.run import Run
from mmrec.paths import Paths
from mmrec.run_paths import lists_of
from tests.library.worlds import SEEN, item

ALL = ("sasrec", "popularity", "itemknn", "tfidf", "two")


def ids_of(found: pl.DataFrame, column: str = "user_id") -> dict[object, list[str]]:
    """Lists by whose they are."""
    return dict(found.group_by(column, maintain_order=True).agg("item_id").iter_rows())


@pytest.mark.parametrize("name", ALL)
def test_lists_are_those_of_the_evaluation_ties_included(
    name: str, runs: dict[str, Run], shop: Path
) -> None:
    data = open_dataset("shop", shop)
    asked = {
        user: items[:end]
        for user, items, end in data.sequences.select(
            "user_id", "item_ids", "test_start"
        ).iter_rows()
        if items[end] not in items[:end]
    }
    indices = pl.read_parquet(lists_of(Paths(shop).run(name)))
    ids, users = data.items["item_id"].to_list(), data.users["user_id"].to_list()
    expected = {
        users[user]: [ids[index - 1] for index in items] for user, items in indices.iter_rows()
    }
    together = ids_of(runs[name].recommend(asked, 6))
    assert together == {user: expected[user] for user in asked}
    for user in [*asked][:5]:
        assert ids_of(runs[name].recommend({user: asked[user]}, 6)) == {user: expected[user]}
    scores = runs[name].recommend(asked, 6)["score"]
    assert name in {"sasrec", "two"} or scores.n_unique() < len(scores), "there are ties"


def test_lists_of_users_are_those_of_the_pipeline(runs: dict[str, Run], shop: Path) -> None:
    expected = pl.read_parquet(Paths(shop).recommended_lists)
    histories = runs["sasrec"].histories_of(expected["user_id"].unique(maintain_order=True))
    found = runs["sasrec"].recommend(histories, 5)
    columns = ["user_id", "rank", "item_id", "title"]
    assert found.select(columns).equals(expected.select(columns))
    assert (found["score"] - expected["score"]).abs().max() < 1e-5  # type: ignore[operator]


def test_somebody_new_gets_what_was_not_seen_and_with_keep_seen_all(runs: dict[str, Run]) -> None:
    seen = [item(place) for place in SEEN]
    for run in runs.values():
        found = run.recommend([seen], 100)
        assert found.columns == ["history", "rank", "item_id", "title", "score"]
        assert found["history"].to_list() == [0] * 16
        assert found["rank"].to_list() == [*range(1, 17)]
        assert not {*seen} & {*found["item_id"]}
        assert found["score"].is_sorted(descending=True)
        everything = run.recommend([seen], 100, filters=Filters(keep_seen=True))
        assert {*everything["item_id"]} == {*run.items["item_id"]}
        left = everything.filter(~pl.col("item_id").is_in(seen))
        assert left["item_id"].to_list() == found["item_id"].to_list()


def test_items_that_are_unknown_are_refused_or_left_out(
    runs: dict[str, Run], caplog: pytest.LogCaptureFixture
) -> None:
    run, seen = runs["sasrec"], [item(place) for place in SEEN]
    found = run.recommend([[seen[0], "new", seen[1]]], 3, skip_unknown=True)
    assert found.equals(run.recommend([seen], 3))
    assert "history 0: 1 of 3 items are not in the catalogue" in caplog.text


def test_ids_filters_leave_the_rest_in_order(runs: dict[str, Run]) -> None:
    seen = [[item(place) for place in SEEN]]
    for run in runs.values():
        whole = run.recommend(seen, 18)["item_id"].to_list()
        gone = whole[1::2]
        left = run.recommend(seen, 18, filters=Filters(exclude=gone))["item_id"].to_list()
        assert left == whole[::2]
        alone = Filters(include=gone, exclude=gone[:1])
        assert run.recommend(seen, 18, filters=alone)["item_id"].to_list() == gone[1:]


def test_categories_are_words_a_field_or_given(runs: dict[str, Run]) -> None:
    run, seen = runs["itemknn"], [[item(place) for place in SEEN]]
    whole = run.recommend(seen, 18)["item_id"].to_list()
    lamps = [name for name in whole if int(name[2:]) % 3 == 0]
    assert run.recommend(seen, 18, filters=Filters(category="lamp"))["item_id"].to_list() == lamps
    shelf = Filters(category="upper", categories="shelf")
    upper = [name for name in whole if int(name[2:]) < 6]
    assert run.recommend(seen, 18, filters=shelf)["item_id"].to_list() == upper
    own = Filters(category="mine", categories={whole[3]: "mine", whole[1]: "mine", whole[2]: None})
    found = run.recommend(seen, 18, filters=own)["item_id"].to_list()
    assert found == [whole[1], whole[3]]


@pytest.mark.parametrize("name", ALL)
def test_at_most_so_many_of_a_category_and_those_without_do_not_count(
    name: str, runs: dict[str, Run]
) -> None:
    seen = [[item(place) for place in SEEN], [item(1)]]
    wanted = Filters(max_per_category=2)
    for place, found in ids_of(runs[name].recommend(seen, 6, filters=wanted), "history").items():
        whole = runs[name].recommend([seen[int(str(place))]], 18)["item_id"].to_list()
        expected, places = [], {0: 2, 1: 2, 2: 2, None: 9}
        for one in whole:
            kind = None if one == item(4) else int(one[2:]) % 3
            if places[kind]:
                places[kind] -= 1
                expected.append(one)
        assert found == expected[:6]


def test_a_user_is_recommended_to_by_all_they_did(runs: dict[str, Run], shop: Path) -> None:
    sequences = open_dataset("shop", shop).sequences
    found = runs["itemknn"].histories_of(["u3", "u1"])
    assert [*found] == ["u3", "u1"]
    expected = sequences.filter(pl.col("user_id") == "u3")["item_ids"].to_list()
    assert [found["u3"]] == expected
