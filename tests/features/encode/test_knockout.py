"""What a knock-out leaves of contents: it hits items, whatever else is in the table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from mmrec.features.cache.place import FeatureCache
from mmrec.features.encode.embed import embed_sentences
from mmrec.features.encode.knockout import knocked_out
from mmrec.features.encode.replacement import Moments, Replacement
from mmrec.features.token_table import load_token_table
from mmrec.io import read_json
from mmrec.params.knockout import KnockoutParams, NoiseParams
from tests.features import worlds
from tests.features.encode.test_embed import LetterCounts
from tests.features.encode.test_token_states import LetterStates

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


def embedded(
    extractor: LetterCounts | LetterStates, folder: Path, knockout: KnockoutParams | None
) -> list[dict[str, Any]]:
    """Rows of a feature of `SENTENCES` by a cache that all features of a test share."""
    cache = FeatureCache(folder.parent / "cache", None)
    embed_sentences(
        SENTENCES, extractor, folder, precision="float32", cache=cache, knockout=knockout
    )
    rows: list[dict[str, Any]] = pl.read_parquet(folder / "*.parquet").to_dicts()
    return rows


def values(rows: list[dict[str, Any]]) -> np.ndarray:
    return np.array([row["embedding"] for row in rows], np.float64)


EXTRACTORS = pytest.mark.parametrize("extractor", [LetterCounts(), LetterStates()])


@EXTRACTORS
def test_a_constant_is_the_mean_of_all_rows_whatever_their_number(
    extractor: LetterCounts | LetterStates, tmp_path: Path
) -> None:
    plain = embedded(extractor, tmp_path / "plain", None)
    found = embedded(extractor, tmp_path / "constant", params("constant"))
    mean = values(plain).sum(0) / len(plain)
    assert values(found) == pytest.approx(np.tile(mean, (len(plain), 1)), rel=1e-6)
    assert places(found) == places(plain)
    lengths = Counter((row["item_id"], row["position"]) for row in found)
    keys = {(row["content_key"], lengths[row["item_id"], row["position"]]) for row in found}
    assert len(keys) == len({*lengths.values()}), "equal rows have equal keys, others have not"
    assert keys.isdisjoint(row["content_key"] for row in plain)


def places(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["item_id"], row["position"], row.get("token")) for row in rows]


@EXTRACTORS
def test_noise_has_the_moments_of_the_feature_and_says_nothing_else(
    extractor: LetterCounts | LetterStates, tmp_path: Path
) -> None:
    plain = embedded(extractor, tmp_path / "plain", None)
    found = embedded(extractor, tmp_path / "noise", params("noise", seed=3))
    assert places(found) == places(plain)
    assert len({tuple(row["embedding"]) for row in found}) == len(found), "each row its own"
    contents = {(row["item_id"], row["position"]) for row in found}
    assert len({row["content_key"] for row in found}) == len(contents)
    assert {row["content_key"] for row in found}.isdisjoint(row["content_key"] for row in plain)
    mean, deviation = values(plain).mean(0), values(plain).std(0)
    standard = (values(found) - mean)[:, deviation > 0] / deviation[deviation > 0]
    error = 1 / np.sqrt(len(found))
    assert abs(standard.mean(0)).max() < 4 * error
    assert abs(standard.std(0) - 1).max() < 4 * error
    constant = values(found)[:, deviation == 0]
    assert constant == pytest.approx(np.tile(mean[deviation == 0], (len(found), 1)))
    assert embedded(extractor, tmp_path / "again" / "noise", params("noise", seed=3)) == found
    other = embedded(extractor, tmp_path / "other_seed", params("noise", seed=4))
    of_another_name = embedded(extractor, tmp_path / "other", params("noise", seed=3))
    for one in (values(other), values(of_another_name)):
        correlations = np.corrcoef(one[:, 0], values(found)[:, 0])
        assert abs(correlations[0, 1]) < 5 * error, "features of one item have nothing in common"


def test_a_replaced_feature_leaves_the_cache_as_it_was_and_says_what_it_is(tmp_path: Path) -> None:
    embedded(LetterStates(), tmp_path / "plain", None)
    cached = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.parquet")}
    extractor = LetterStates()
    for settings in (params("constant"), params("noise", seed=1), params("shuffled", seed=1)):
        embedded(extractor, tmp_path / settings.name, settings)
        told = read_json(tmp_path / f"{settings.name}.json")
        hit = "items_shuffled" if settings.name == "shuffled" else "items_replaced"
        assert told["knockout"] == {**settings.model_dump(), hit: len(ITEMS)}
    assert extractor.seen == []
    assert {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*.parquet")} == cached
    assert "knockout" not in read_json(tmp_path / "plain.json")


def test_token_states_of_a_replaced_feature_are_read_back_row_by_row(tmp_path: Path) -> None:
    catalogue = pa.table({"item_id": ITEMS, "item_index": pa.array(range(1, 41), pa.int32())})
    digests = set()
    for settings in (None, params("constant"), params("noise", seed=1), params("noise", seed=2)):
        folder = tmp_path / str(settings)
        rows = embedded(LetterStates(), folder, settings)
        table = load_token_table(folder, catalogue)
        digests.add(table.digest)
        states, real = table.gather(torch.arange(1, 41)).padded()
        assert states[real].numpy() == pytest.approx(values(sorted(rows, key=_in_catalogue)))
    assert len(digests) == 4


def _in_catalogue(row: dict[str, Any]) -> tuple[int, int, int]:
    return ITEMS.index(row["item_id"]), row["position"], row["token"]


def test_moments_do_not_depend_on_large_means() -> None:
    rows = np.random.default_rng(0).standard_normal((1000, 3)) * [1, 1e-3, 0] + [0, 1e6, 5]
    moments = Moments.of(np.split(rows, [1, 1, 300, 999]), 3)
    assert moments.mean == pytest.approx(rows.mean(0), rel=1e-12)
    assert moments.deviation == pytest.approx(rows.std(0), rel=1e-6)
    assert Moments.of([], 3).deviation.tolist() == [0, 0, 0]


def test_noise_that_a_format_cannot_hold_is_its_largest_number() -> None:
    settings = params("noise", seed=0)
    assert isinstance(settings, NoiseParams)
    wide = Replacement(settings, Moments.of([np.array([[6e4], [-6e4]])], 1), "f")
    found = wide.values("item", 0, 200, np.dtype("float16"))
    assert np.isfinite(found).all()
    assert abs(found).max() == np.finfo(np.float16).max
