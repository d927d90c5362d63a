"""What a knock-out leaves of contents: it hits items, whatever else is in the table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError

from mmrec.features.encode.knockout import knocked_out
from mmrec.params.knockout import KnockoutParams
from tests.features import worlds

ITEMS = [f"item {number}" for number in range(40)]
SENTENCES = worlds.sentences(
    [(item, place, f"{item} says {place}") for item in ITEMS for place in range(len(item) % 3 + 1)]
)


def params(name: str, **settings: float) -> KnockoutParams:
    found: KnockoutParams = TypeAdapter(KnockoutParams).validate_python({"name": name, **settings})
    return found


def kept(share: float, seed: int = 0, contents: pa.Table = SENTENCES) -> set[str]:
    table, counts = knocked_out(contents, params("dropped", share=share, seed=seed))
    left = set(table["item_id"].to_pylist())
    before = set(contents["item_id"].to_pylist())
    assert counts == {"items_dropped": len(before - left)}
    whole = [row for row in contents.to_pylist() if row["item_id"] in left]
    assert table.to_pylist() == whole, "of an item all is dropped or nothing"
    assert table.schema == contents.schema
    return left


def test_nothing_is_changed_without_a_knockout() -> None:
    assert knocked_out(SENTENCES, None) == (SENTENCES, {})


@pytest.mark.parametrize(("share", "left"), [(0.25, 30), (0.5, 20), (0.75, 10), (0.001, 40)])
def test_a_share_of_the_items_is_dropped(share: float, left: int) -> None:
    assert len(kept(share)) == left


def test_a_larger_share_drops_what_a_smaller_one_drops() -> None:
    for seed in range(5):
        assert kept(0.75, seed) < kept(0.5, seed) < kept(0.25, seed) < set(ITEMS)


def test_who_is_dropped_depends_on_the_seed_and_neither_on_order_nor_on_contents() -> None:
    order = np.random.default_rng(0).permutation(SENTENCES.num_rows)
    assert kept(0.5, contents=SENTENCES.take(pa.array(order))) == kept(0.5)
    pictures = worlds.images([(item, 7, item.encode()) for item in reversed(ITEMS)])
    assert kept(0.5, contents=pictures) == kept(0.5)
    assert kept(0.5, seed=1) != kept(0.5)


def givers(contents: pa.Table, seed: int) -> dict[str, str]:
    """Whose contents each item has after shuffling."""
    table, counts = knocked_out(contents, params("shuffled", seed=seed))
    assert counts == {"items_shuffled": len({*contents["item_id"].to_pylist()})}
    assert table.schema == contents.schema
    assert table.drop("item_id") == contents.drop("item_id")
    pairs = zip(table["item_id"].to_pylist(), contents["item_id"].to_pylist(), strict=True)
    found = set(pairs)
    assert len({taker for taker, _ in found}) == len(found), "all of an item's go to one other"
    return dict(found)


def test_every_item_gets_all_contents_of_another() -> None:
    found = givers(SENTENCES, 0)
    assert {*found} == {*found.values()} == {*ITEMS}
    assert all(taker != giver for taker, giver in found.items())
    assert givers(SENTENCES, 1) != found
    pictures = worlds.images([(item, 7, item.encode()) for item in reversed(ITEMS)])
    assert givers(pictures, 0) == found, "the same ones for every modality"


def test_a_single_item_keeps_what_it_has_and_none_is_no_error() -> None:
    one = SENTENCES.slice(0, 1)
    assert knocked_out(one, params("shuffled", seed=0))[0] == one
    for settings in (params("shuffled", seed=0), params("dropped", share=0.5, seed=0)):
        assert knocked_out(one.slice(0, 0), settings)[0].num_rows == 0


@pytest.mark.parametrize("share", [0, 1, -0.5, 25])
def test_a_share_is_a_part(share: float) -> None:
    with pytest.raises(ValidationError, match="share"):
        params("dropped", share=share, seed=0)
