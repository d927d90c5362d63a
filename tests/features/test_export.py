"""Item vectors in the formats of other libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.features.empty import write_empty_feature
from mmrec.features.export import ItemVectors, main
from mmrec.io import DataError, write_table
from mmrec.part_writer import PartWriter
from mmrec.paths import Paths
from tests.features import worlds

IDS = ["a.b", "a b", "é.1", "nothing", "x"]
"""In the order of item_index; the fourth has no rows."""
ROWS = {"a.b": [[1.0, 2.0], [3.0, 6.0]], "a b": [[0.1, -1e-7]], "é.1": [[5.0, 7.0]], "x": [[8, 9]]}
MEAN = np.float32([[2, 4], [0.1, -1e-7], [5, 7], [0, 0], [8, 9]])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    dataset = Paths(Path()).dataset("shop")
    shuffled = worlds.items(IDS).take([3, 0, 4, 2, 1])
    write_table(shuffled, dataset.items, schemas.CLEAN_ITEMS)
    schema = schemas.features(2, pa.float32())
    flat = [(item, place, row) for item in ROWS for place, row in enumerate(ROWS[item])]
    columns = {
        "item_id": [item for item, _, _ in flat],
        "position": [place for _, place, _ in flat],
        "content_key": [bytes(16)] * len(flat),
        "embedding": [row for _, _, row in flat],
    }
    with PartWriter(dataset.features("titles"), schema) as writer:
        writer.write(pa.table(columns, schema=schema))
    write_empty_feature(dataset.features("nothing"))
    return tmp_path


def test_npy_has_a_row_and_an_id_for_every_item_with_rows(project, capsys) -> None:
    main(["shop", "titles", "--to", "npy", "out"])
    ids = np.load("out/item_ids.npy", allow_pickle=False)
    vectors = np.load("out/vectors.npy", allow_pickle=False)
    assert ids.tolist() == ["a.b", "a b", "é.1", "x"]
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, MEAN[[0, 1, 2, 4]])
    assert "4 of 5 items, 1 have no rows" in capsys.readouterr().out


def test_first_takes_the_first_row_of_an_item(project) -> None:
    main(["shop", "titles", "--to", "npy", "--pool", "first", "out"])
    assert np.load("out/vectors.npy")[0].tolist() == [1, 2]


def test_recbole_reads_back_the_same_floats_as_it_would(project) -> None:
    main(["shop", "titles", "--to", "recbole", "shop/shop.itememb"])
    lines = Path("shop/shop.itememb").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "iid:token\titem_emb:float_seq"
    cells = [line.split("\t") for line in lines[1:]]
    assert [item for item, _ in cells] == ["a.b", "a b", "é.1", "x"]
    read = np.array([[float(number) for number in text.split(" ")] for _, text in cells])
    assert np.array_equal(read.astype(np.float32), MEAN[[0, 1, 2, 4]])


@pytest.mark.parametrize("bad", ["a\tb", 'a"b', "a\nb", "NA", "#N/A N/A", "-nan", "1.#QNAN"])
def test_ids_that_recbole_cannot_read_are_refused(bad: str, tmp_path: Path) -> None:
    from mmrec.features.export import export

    vectors = ItemVectors(np.array([bad]), np.ones((1, 2), np.float32), np.array([True]))
    with pytest.raises(DataError, match="cannot stand in a RecBole file"):
        export(vectors, tmp_path / "x.itememb", to="recbole", missing="zeros")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("missing", "filled"), [("zeros", [0, 0]), ("mean", MEAN[[0, 1, 2, 4]].mean(0).tolist())]
)
def test_mmrec_has_a_row_for_every_item_in_order(project, missing, filled, capsys) -> None:
    main(["shop", "titles", "--to", "mmrec", "--missing", missing, "image_feat.npy"])
    found = np.load("image_feat.npy")
    expected = MEAN.copy()
    expected[3] = filled
    assert found.shape == (5, 2)
    assert found == pytest.approx(expected)
    assert f"({missing} written)" in capsys.readouterr().out


def test_parquet_has_embedding_and_id(project) -> None:
    main(["shop", "titles", "--to", "parquet", "out"])
    frame = pl.read_parquet("out/*.parquet")
    assert frame.columns == ["item_id", "embedding"]
    assert frame["item_id"].to_list() == ["a.b", "a b", "é.1", "x"]
    assert frame["embedding"].dtype == pl.List(pl.Float32)
    assert np.array_equal(np.stack(frame["embedding"].to_list()), MEAN[[0, 1, 2, 4]])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["shop", "nothing", "--to", "npy", "out"], "no rows"),
        (["shop", "unknown", "--to", "npy", "out"], "no such folder"),
        (["none", "titles", "--to", "npy", "out"], "file not found"),
        (["shop", "titles", "--to", "recbole", "out.txt"], "ends in .itememb"),
        (["shop", "titles", "--to", "mmrec", "out"], "ends in .npy"),
        (["shop", "titles", "--to", "parquet", "out.parquet"], "folder"),
    ],
)
def test_what_cannot_be_exported_is_explained(project, arguments, said) -> None:
    with pytest.raises(SystemExit, match=said):
        main(arguments)


def test_every_format_gives_the_same_bytes_twice(project) -> None:
    names = {"npy": "o", "recbole": "o.itememb", "mmrec": "o.npy", "parquet": "o"}
    for to, name in names.items():
        for folder in ("one", "two"):
            main(["shop", "titles", "--to", to, f"{folder}/{to}/{name}"])
    files = [path for path in Path("one").rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        assert path.read_bytes() == Path("two", *path.parts[1:]).read_bytes()
