"""Items that are alike, and vectors of items, of runs that have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mmrec import Filters
from mmrec.library.run import Run
from mmrec.paths import Paths
from tests.library.worlds import item


def vectors_of(run: Run) -> np.ndarray:
    found: np.ndarray = run.item_vectors()["vector"].to_numpy().astype(np.float64)
    return found


def test_item_vectors_are_those_that_the_evaluation_wrote(runs: dict[str, Run], shop: Path) -> None:
    for name in ("sasrec", "popularity"):
        written = pl.read_parquet(Paths(shop).run(name).item_vectors)
        found = runs[name].item_vectors()
        assert found.columns == written.columns
        assert found.drop("vector").equals(written.drop("vector"))
        assert np.array_equal(found["vector"].to_numpy(), written["vector"].to_numpy())


def test_similar_items_are_those_of_the_largest_cosine(runs: dict[str, Run]) -> None:
    run = runs["sasrec"]
    vectors = vectors_of(run)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = [item(5), item(0)]
    found = run.similar(asked, 4)
    assert found.columns == ["like", "rank", "item_id", "title", "score"]
    for name in asked:
        place = int(name[2:])
        cosines = units @ units[place]
        cosines[place] = -2
        expected = np.argsort(-cosines, kind="stable")[:4]
        own = found.filter(pl.col("like") == name)
        assert own["item_id"].to_list() == [item(one) for one in expected]
        assert own["score"].to_numpy() == pytest.approx(cosines[expected], abs=1e-6)


def test_similar_items_are_filtered_as_recommended_ones_are(runs: dict[str, Run]) -> None:
    run = runs["sasrec"]
    whole = run.similar([item(5)], 18)["item_id"].to_list()
    assert len(whole) == 17
    left = run.similar([item(5)], 18, filters=Filters(exclude=whole[:2]))
    assert left["item_id"].to_list() == whole[2:]
    lamps = run.similar([item(5), item(6)], 2, filters=Filters(category="lamp"))
    assert {int(name[2:]) % 3 for name in lamps["item_id"]} == {0}
    assert len(lamps) == 4
    one_each = run.similar([item(5)], 3, filters=Filters(max_per_category=1))
    kinds = [int(name[2:]) % 3 for name in one_each["item_id"] if name != item(4)]
    assert len({*kinds}) == len(kinds)
    assert one_each["item_id"][0] == whole[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("itemknn", r"its model \(itemknn\) scores items without vectors of them"),
        ("tfidf", r"its model \(contentknn\) scores items without vectors of them"),
        ("popularity", r"its model \(popularity\) has one number for an item, not a vector"),
        ("two", "it is an ensemble, whose runs have each their own vectors"),
    ],
)
def test_a_run_without_vectors_recommends_but_says_why_nothing_is_alike(
    name: str, reason: str, runs: dict[str, Run]
) -> None:
    with pytest.raises(ValueError, match=rf"run '{name}' cannot say .* alike: {reason}"):
        runs[name].similar([item(5)])
    with pytest.raises(ValueError, match=rf"cannot say .* alike: {reason}"):
        runs[name].recommend([[item(5)]], filters=Filters(diversity=0.5))
    if name != "popularity":
        with pytest.raises(ValueError, match=rf"run '{name}' has no item vectors: {reason}"):
            runs[name].item_vectors()
