"""`mmrec features export`, or `python -m mmrec.features.export`: vectors for others.

Writes one vector per item, in a format that another library reads:

- `npy`: a folder with `vectors.npy` [n, d] and `item_ids.npy` [n], of the items that have rows;
- `recbole`: an atomic file `<dataset>.itememb`, to be named under `additional_feat_suffix`, with
  `alias_of_item_id: [iid]` and `preload_weight: {iid: item_emb}`; items without rows are not in
  it and get zeros from RecBole;
- `mmrec`: one `.npy` file [I, d] whose row i is the item of item_index i + 1;
- `parquet`: a folder of parts with the columns `item_id` and `embedding`, as embedding-reader and
  autofaiss read them (`file_format="parquet"`, `meta_columns=["item_id"]`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mmrec import schemas
from mmrec.atomic import atomic_path
from mmrec.command import Command, call
from mmrec.features.table import FeatureTable, load_feature_table
from mmrec.io import DataError, read_table
from mmrec.part_writer import PartWriter
from mmrec.paths import Paths

Format: TypeAlias = Literal["npy", "recbole", "mmrec", "parquet"]
Pool: TypeAlias = Literal["mean", "first"]
Missing: TypeAlias = Literal["zeros", "mean"]

_ROWS_PER_WRITE: Final = 8192
# fmt: off
_NOT_A_VALUE: Final = frozenset((
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
))
# fmt: on
"""What pandas, through which RecBole reads, takes for an empty cell."""


@dataclass(frozen=True)
class ItemVectors:
    """One vector per item of a catalogue, where it has any."""

    ids: npt.NDArray[np.str_]
    """[I] in order of item_index."""
    vectors: npt.NDArray[np.float32]
    """[I, d]; zeros for an item without rows."""
    known: npt.NDArray[np.bool_]
    """[I] whether the item has rows."""


def pool_items(table: FeatureTable, items: pa.Table, *, pool: Pool) -> ItemVectors:
    """One vector for each item: the mean of its rows, or the first of them.

    Args:
        table: rows of the feature by item.
        items: columns item_id, item_index.
        pool: which.

    Raises:
        DataError: the feature has no rows at all.
    """
    rows = table.vectors.numpy()
    # Item 0 is padding.
    starts, ends = table.offsets.numpy()[1:-1], table.offsets.numpy()[2:]
    known = ends > starts
    if not known.any():
        raise DataError("the feature has no rows: there is nothing to export; choose another")
    vectors = np.zeros((len(known), table.dim), np.float32)
    if pool == "first":
        vectors[known] = rows[starts[known]]
    else:
        # Rows of an item are adjacent, and so are items that have any.
        sums = np.add.reduceat(rows, starts[known], axis=0, dtype=np.float64)
        vectors[known] = sums / (ends - starts)[known, None]
    order = np.argsort(items["item_index"].to_numpy())
    ids = np.array(items["item_id"].to_pylist(), dtype=np.str_)[order]
    return ItemVectors(ids, vectors, known)


def export(items: ItemVectors, out: Path, *, to: Format, missing: Missing) -> None:
    """Write the vectors.

    Args:
        items: what to write.
        out: the file or folder, by format.
        to: format.
        missing: what `mmrec` holds for an item without rows: zeros, or the mean of all others.

    Raises:
        DataError: `out` has the wrong suffix, or an id cannot be written in the format.
    """
    match to:
        case "npy":
            _write_npy(items.vectors[items.known], out / "vectors.npy")
            _write_npy(items.ids[items.known], out / "item_ids.npy")
        case "recbole":
            _write_recbole(items, out)
        case "mmrec":
            _expect_suffix(out, ".npy")
            filled = items.vectors.copy()
            if missing == "mean":
                filled[~items.known] = items.vectors[items.known].mean(0, dtype=np.float64)
            _write_npy(filled, out)
        case "parquet":
            _write_parquet(items, out)
        case _:
            assert_never(to)


def _write_npy(array: npt.NDArray[np.float32] | npt.NDArray[np.str_], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _write_recbole(items: ItemVectors, out: Path) -> None:
    _expect_suffix(out, ".itememb")
    ids, vectors = items.ids[items.known], items.vectors[items.known]
    for item in ids.tolist():
        if item in _NOT_A_VALUE or any(mark in item for mark in '\t\r\n"'):
            raise DataError(
                f"{out}: item id {item!r} cannot stand in a RecBole file (tab, line break, quote, "
                "or a word that is read as an empty cell); rename it in the source"
            )
    with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write("iid:token\titem_emb:float_seq\n")
        for start in range(0, len(ids), _ROWS_PER_WRITE):
            texts = _float_texts(vectors[start : start + _ROWS_PER_WRITE])
            pairs = zip(ids[start : start + _ROWS_PER_WRITE].tolist(), texts, strict=True)
            file.writelines(f"{item}\t{text}\n" for item, text in pairs)


def _float_texts(vectors: npt.NDArray[np.float32]) -> list[str]:
    """Each vector as numbers with spaces between them, which read back as the same floats."""
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    numbers = pa.array(vectors.reshape(-1)).cast(pa.string())
    texts: list[str] = pc.binary_join(
        pa.ListArray.from_arrays(pa.array(offsets), numbers), " "
    ).to_pylist()
    return texts


def _write_parquet(items: ItemVectors, out: Path) -> None:
    if out.suffix == ".parquet":
        raise DataError(f"{out}: the parts are written to a folder; name one without a suffix")
    ids, vectors = items.ids[items.known], items.vectors[items.known]
    # A list of no fixed size: not every reader of these files knows the other kind.
    embedding = pa.list_(pa.field("item", pa.float32(), nullable=False))
    schema = pa.schema(
        [
            pa.field("item_id", pa.string(), nullable=False),
            pa.field("embedding", embedding, nullable=False),
        ]
    )
    with PartWriter(out, schema) as writer:
        for start in range(0, len(ids), _ROWS_PER_WRITE):
            chosen = vectors[start : start + _ROWS_PER_WRITE]
            offsets = np.arange(len(chosen) + 1, dtype=np.int32) * chosen.shape[1]
            lists = pa.ListArray.from_arrays(
                pa.array(offsets), pa.array(chosen.reshape(-1)), type=embedding
            )
            names = pa.array(ids[start : start + _ROWS_PER_WRITE].tolist(), pa.string())
            writer.write(pa.Table.from_arrays([names, lists], schema=schema))


def _expect_suffix(out: Path, suffix: str) -> None:
    if out.suffix != suffix:
        raise DataError(f"{out}: expected a file that ends in {suffix}; name it so")


HELP: Final = f"Write item vectors for others. {(__doc__ or '').partition('others.')[2].strip()}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The feature, the file, and how a vector is made."""
    parser.add_argument("dataset", help="entry of `datasets`")
    parser.add_argument("feature", help="name of a feature of the dataset")
    parser.add_argument("out", type=Path, help="file or folder to write")
    parser.add_argument("--to", choices=get_args(Format), required=True, help="for which reader")
    parser.add_argument(
        "--pool", choices=get_args(Pool), default="mean", help="rows of an item to one vector"
    )
    parser.add_argument(
        "--missing",
        choices=get_args(Missing),
        default="zeros",
        help="rows of `mmrec` for items without any: zeros, or the mean of all other items",
    )


def run(chosen: argparse.Namespace) -> None:
    """Export a feature of the project in this folder."""
    dataset = Paths(Path()).dataset(chosen.dataset)
    items = read_table(dataset.items, schemas.CLEAN_ITEMS)
    table = load_feature_table(dataset.features(chosen.feature), items)
    pooled = pool_items(table, items, pool=chosen.pool)
    export(pooled, chosen.out, to=chosen.to, missing=chosen.missing)
    count, known = len(pooled.known), int(pooled.known.sum())
    without = f"{count - known:,} have no rows"
    if chosen.to == "mmrec":
        without += f" ({chosen.missing} written)"
    sys.stdout.write(f"{chosen.out}: {known:,} of {count:,} items, {without}\n")


def main(arguments: Sequence[str]) -> None:
    """Export from the command line."""
    call(Command(HELP, add_arguments, run), "python -m mmrec.features.export", arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
