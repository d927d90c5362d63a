"""Union of two raw folders."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.data.sources.raw import RawSource
from mmrec.data.sources.source import ImageRef
from mmrec.data.union import merge_raw
from mmrec.io import DataError, read_json, read_table
from tests.data.raw_world import (
    cleaned,
    histories,
    interactions,
    items,
    jpeg,
    sequences,
    write_raw,
)


def _merge(folder: Path, left_log: pa.Table, right_log: pa.Table) -> Path:
    left_refs = [ImageRef("a", 0, "a", jpeg(1)), ImageRef("b", 0, "b", jpeg(2))]
    right_refs = [ImageRef("a", 0, "a", jpeg(1)), ImageRef("a", 1, "c", None)]
    left = write_raw(folder / "left", items("ab"), left_log, left_refs)
    right = write_raw(folder / "right", items("a"), right_log, right_refs)
    counts = merge_raw(left, right, left_name="x", right_name="y", out=folder / "out")
    assert counts == {
        "items": 3,
        "interactions": left_log.num_rows + right_log.num_rows,
        "links": 4,
        "contents": 2,
    }
    return folder / "out"


def test_ids_get_the_names_of_their_datasets(tmp_path: Path) -> None:
    out = _merge(tmp_path, histories(u="ab"), histories(u="a"))
    merged = read_table(out / "items.parquet", schemas.RAW_ITEMS)
    assert merged.column("item_id").to_pylist() == ["x/a", "x/b", "y/a"]
    assert merged.column("texts").to_pylist() == items("aba").column("texts").to_pylist()
    log = read_table(out / "interactions.parquet", schemas.RAW_INTERACTIONS)
    assert log.column("user_id").to_pylist() == ["x/u", "x/u", "y/u"]
    links = read_table(out / "image_links.parquet", schemas.IMAGE_LINKS)
    assert links.column("item_id").to_pylist() == ["x/a", "x/b", "y/a", "y/a"]
    assert len(RawImages(out / "images")) == 2


def test_an_empty_id_stays_empty(tmp_path: Path) -> None:
    out = _merge(tmp_path, interactions(("", "a"), ("u", "")), histories(u="a"))
    log = read_table(out / "interactions.parquet", schemas.RAW_INTERACTIONS)
    assert log.column("user_id").to_pylist() == ["", "x/u", "y/u"]
    assert log.column("item_id").to_pylist() == ["x/a", "", "y/a"]


def test_times_of_one_side_become_order(tmp_path: Path) -> None:
    timed = interactions(("u", "b", 9), ("u", "a", 1), ("v", "b", 1), ("v", "a", 1))
    out = _merge(tmp_path, histories(u="ba"), timed)
    log = read_table(out / "interactions.parquet", schemas.RAW_INTERACTIONS)
    assert log.column("timestamp_ns").null_count == 6
    result = cleaned(tmp_path, items(["x/a", "x/b", "y/a", "y/b"]), log)
    assert sequences(result)["y/u"] == ["y/a", "y/b"]
    assert sequences(result)["y/v"] == ["y/b", "y/a"]
    assert sequences(result)["x/u"] == ["x/b", "x/a"]


def test_times_of_both_sides_stay(tmp_path: Path) -> None:
    out = _merge(
        tmp_path, interactions(("u", "a", 3)), interactions(("u", "a", None), ("u", "a", 4))
    )
    log = read_table(out / "interactions.parquet", schemas.RAW_INTERACTIONS)
    assert log.column("timestamp_ns").to_pylist() == [3, None, 4]


def test_a_few_missing_times_beside_none_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="y: 1 of 2 interactions have no timestamp"):
        _merge(tmp_path, histories(u="a"), interactions(("u", "a", None), ("u", "a", 4)))
    assert not (tmp_path / "out").exists()


def test_what_both_sources_skipped_is_added_up(tmp_path: Path) -> None:
    left = write_raw(tmp_path / "left", items("a"), histories(u="a"), skipped={"x": 1, "y": 2})
    right = write_raw(tmp_path / "right", items("a"), histories(u="a"), skipped={"x": 3})
    merge_raw(left, right, left_name="l", right_name="r", out=tmp_path / "out")
    assert read_json(tmp_path / "out" / "summary.json")["skipped"] == {"x": 4, "y": 2}
    assert RawSource(tmp_path / "out").read().skipped == {"x": 4, "y": 2}


def test_a_dataset_is_not_merged_with_itself(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two different datasets, found 'x' twice"):
        merge_raw(tmp_path, tmp_path, left_name="x", right_name="x", out=tmp_path / "out")


def test_the_raw_source_gives_a_union_back_byte_for_byte(tmp_path: Path) -> None:
    out = _merge(tmp_path, histories(u="ab"), histories(u="a"))
    raw = RawSource(out).read()
    again = write_raw(tmp_path / "again", raw.items, raw.interactions, list(raw.image_refs))
    for path in sorted(out.rglob("*.parquet")):
        assert (again / path.relative_to(out)).read_bytes() == path.read_bytes()


def _captions(folder: Path) -> Path:
    refs = [ImageRef("a", 0, "a", jpeg(3))]
    nobody = interactions()
    return write_raw(folder, items("ac"), nobody, refs, has_users=False)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_side_without_users_gives_its_items_and_leaves_the_others_times(
    tmp_path: Path, *, swapped: bool
) -> None:
    log = interactions(("u", "b", 9), ("u", "a", 1))
    sides = {"x": write_raw(tmp_path / "x", items("ab"), log), "y": _captions(tmp_path / "y")}
    names = ["y", "x"] if swapped else ["x", "y"]
    left, right = (sides[name] for name in names)
    out = tmp_path / "out"
    merge_raw(left, right, left_name=names[0], right_name=names[1], out=out)
    raw = RawSource(out).read()
    assert raw.has_users
    assert raw.interactions.column("timestamp_ns").to_pylist() == [9, 1]
    result = cleaned(tmp_path, raw.items, raw.interactions, list(raw.image_refs))
    assert result.items.column("item_id").to_pylist() == ["x/a", "x/b", "y/a", "y/c"]
    assert result.items.column("num_images").to_pylist() == [0, 0, 1, 0]
    assert sequences(result) == {"x/u": ["x/a", "x/b"]}


def test_two_sides_without_users_are_a_union_without_users(tmp_path: Path) -> None:
    sides = [_captions(tmp_path / name) for name in "xy"]
    merge_raw(*sides, left_name="x", right_name="y", out=tmp_path / "out")
    raw = RawSource(tmp_path / "out").read()
    assert not raw.has_users
    result = cleaned(tmp_path, raw.items, raw.interactions, list(raw.image_refs), has_users=False)
    assert result.items.column("item_id").to_pylist() == ["x/a", "x/c", "y/a", "y/c"]
    assert result.users.num_rows == result.sequences.num_rows == 0
