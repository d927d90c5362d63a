"""Rows meet the item they name, whatever the order of files and whichever items have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from mmrec import schemas
from mmrec.features.empty import write_empty_feature
from mmrec.features.table import FeatureTable, load_feature_table
from mmrec.io import DataError, write_table
from tests.features import worlds

IDS = ["a", "a.b", "a.b.c 1", "b 2", "b.2", "c", "ü"]


def _value(item_id: str, position: int) -> list[float]:
    return [float(IDS.index(item_id) + 1) if item_id in IDS else -1.0, float(position)]


def _part(
    rows: list[tuple[str, int]], path: Path, *, fingerprint: str = "{}", dim: int = 2
) -> None:
    schema = schemas.features(dim, pa.float16())
    columns = {
        "item_id": [row[0] for row in rows],
        "position": [row[1] for row in rows],
        "content_key": [b"k" * 16] * len(rows),
        "embedding": [np.float16((_value(*row) * dim)[:dim]).tolist() for row in rows],
    }
    table = pa.table(columns, schema=schema)
    write_table(table, path, schema.with_metadata({schemas.FINGERPRINT_KEY: fingerprint}))


def _held(table: FeatureTable) -> list[list[tuple[float, float]]]:
    return [
        [tuple(row) for row in table.vectors[table.offsets[i] : table.offsets[i + 1]].tolist()]
        for i in range(table.num_items)
    ]


def test_every_item_gets_its_rows_and_only_its_own(tmp_path: Path) -> None:
    rows = [("a", 0), ("a", 1), ("a.b", 0), ("b 2", 3), ("ü", 0), ("ü", 1), ("ü", 2)]
    _part(rows, tmp_path / "part-00000.parquet")
    table = load_feature_table(tmp_path, worlds.items(IDS))
    assert table.num_items == len(IDS) + 1
    assert table.dim == 2
    assert table.vectors.dtype == torch.float16
    assert _held(table) == [
        [],
        [(1, 0), (1, 1)],
        [(2, 0)],
        [],
        [(4, 3)],
        [],
        [],
        [(7, 0), (7, 1), (7, 2)],
    ]


def test_a_missing_picture_in_the_middle_shifts_nobody(tmp_path: Path) -> None:
    _part([("a", 0), ("c", 0), ("ü", 0)], tmp_path / "part-00000.parquet")
    held = _held(load_feature_table(tmp_path, worlds.items(IDS)))
    assert held[6] == [(6, 0)]
    assert held[7] == [(7, 0)]


def test_order_of_rows_and_of_the_catalogue_does_not_matter(tmp_path: Path) -> None:
    rows = [("ü", 1), ("a", 1), ("b.2", 0), ("ü", 0), ("a", 0)]
    _part(rows, tmp_path / "part-00000.parquet")
    catalogue = worlds.items(IDS)
    backwards = catalogue.take(list(range(len(IDS)))[::-1])
    held = _held(load_feature_table(tmp_path, backwards))
    assert held == _held(load_feature_table(tmp_path, catalogue))
    assert held[1] == [(1, 0), (1, 1)]
    assert held[7] == [(7, 0), (7, 1)]


def test_parts_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, row in ((1, ("a", 0)), (10, ("ü", 0)), (2, ("c", 0))):
        _part([row], tmp_path / f"part-{number}.parquet")
    table = load_feature_table(tmp_path, worlds.items(IDS))
    assert table.vectors[:, 0].tolist() == [1, 6, 7]
    assert _held(table)[6] == [(6, 0)]


def test_an_item_the_catalogue_does_not_know_is_refused_by_name(tmp_path: Path) -> None:
    _part([("a", 0), ("a.bc", 0)], tmp_path / "part-00000.parquet")
    with pytest.raises(DataError, match=r"1 items are not in the catalogue \(first: 'a\.bc'\)"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_a_catalogue_with_an_id_twice_is_refused(tmp_path: Path) -> None:
    _part([("a", 0)], tmp_path / "part-00000.parquet")
    with pytest.raises(DataError, match="twice"):
        load_feature_table(tmp_path, worlds.items([*IDS, "a"]))


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    _part([("a", 0), ("b.2", 4)], tmp_path / "part-00000.parquet")
    _part([("b.2", 4)], tmp_path / "part-00001.parquet")
    with pytest.raises(DataError, match=r"'b\.2', position 4"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_parts_of_two_extractors_are_refused(tmp_path: Path) -> None:
    _part([("a", 0)], tmp_path / "part-00000.parquet")
    _part([("c", 0)], tmp_path / "part-00001.parquet", fingerprint='{"version":2}')
    with pytest.raises(DataError, match=r"found 2 \(part-00000.parquet, part-00001.parquet\)"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_a_missing_or_foreign_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_feature_table(tmp_path / "none", worlds.items(IDS))
    with pytest.raises(DataError, match=r"no part-\*\.parquet"):
        load_feature_table(tmp_path, worlds.items(IDS))
    write_table(worlds.items(IDS), tmp_path / "part-00000.parquet", schemas.CLEAN_ITEMS)
    with pytest.raises(DataError, match="no column 'embedding'"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_a_vector_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    schema = schemas.features(2, pa.float16())
    columns = {
        "item_id": ["a", "c"],
        "position": [0, 0],
        "content_key": [b"k" * 16] * 2,
        "embedding": [np.float16([1, 2]).tolist(), np.float16([1, np.nan]).tolist()],
    }
    write_table(pa.table(columns, schema=schema), tmp_path / "part-00000.parquet", schema)
    with pytest.raises(DataError, match="'c' has a vector that is not finite"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_a_null_embedding_is_refused(tmp_path: Path) -> None:
    kind = schemas.vector(2, pa.float16())
    fields = [pa.field(f.name, f.type) for f in schemas.features(2, pa.float16())]
    columns = {
        "item_id": ["a", "c"],
        "position": pa.array([0, 0], pa.int32()),
        "content_key": pa.array([b"k" * 16] * 2, schemas.CONTENT_KEY),
        "embedding": pa.array([None, np.float16([1, 2]).tolist()], kind),
    }
    loose = pa.schema(fields)
    pq.write_table(pa.table(columns, schema=loose), tmp_path / "part-00000.parquet")
    with pytest.raises((DataError, ValueError), match="null"):
        load_feature_table(tmp_path, worlds.items(IDS))


def test_the_empty_feature_has_a_row_for_nobody(tmp_path: Path) -> None:
    write_empty_feature(tmp_path)
    table = load_feature_table(tmp_path, worlds.items(IDS))
    assert (table.dim, len(table.vectors), table.num_items) == (0, 0, len(IDS) + 1)
    rows, segment = table.rows_of(torch.arange(len(IDS) + 1))
    assert (len(rows), len(segment)) == (0, 0)


def _ragged(counts: list[int]) -> FeatureTable:
    rows = [[float(item), float(k)] for item, n in enumerate(counts) for k in range(n)]
    offsets = torch.tensor([0, *np.cumsum(counts).tolist()])
    return FeatureTable(torch.tensor(rows, dtype=torch.float16).reshape(-1, 2), offsets)


def test_rows_of_equals_a_loop() -> None:
    table = _ragged([0, 2, 0, 3, 1, 0])
    items = torch.tensor([[3, 0, 1], [5, 3, 4]])
    rows, segment = table.rows_of(items)
    expected = [
        (int(row), place)
        for place, item in enumerate(items.flatten().tolist())
        for row in range(int(table.offsets[item]), int(table.offsets[item + 1]))
    ]
    assert list(zip(rows.tolist(), segment.tolist(), strict=True)) == expected
    assert table.rows_of(torch.tensor([], dtype=torch.int64))[0].tolist() == []


def test_a_mapped_feature_holds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("ü", 1), ("a", 1), ("c", 0), ("ü", 0), ("a", 0)]
    _part(rows, tmp_path / "part-00000.parquet")
    in_memory = load_feature_table(tmp_path, worlds.items(IDS))
    monkeypatch.setattr("mmrec.features.table.MAX_IN_MEMORY", 0)
    made = []
    mapping = np.memmap
    monkeypatch.setattr(
        np, "memmap", lambda *given, **more: made.append(given) or mapping(*given, **more)
    )
    mapped = load_feature_table(tmp_path, worlds.items(IDS))
    assert len(made) == 2  # as it is read, and in order
    assert _held(mapped) == _held(in_memory)


def test_a_disk_without_room_for_a_mapped_feature_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    _part([("a", 0)], tmp_path / "part-00000.parquet")
    monkeypatch.setattr("mmrec.features.table.MAX_IN_MEMORY", 0)
    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"no room for 4 bytes.*TMPDIR"):
        load_feature_table(tmp_path, worlds.items(IDS))
