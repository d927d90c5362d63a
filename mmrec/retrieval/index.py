"""Exact inner-product index over the items of a run: ITEM_VECTORS in, FAISS index out.

The ids in the index are item indices (1..I); the padding item is never in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.atomic import atomic_path
from mmrec.evaluation.vectors import Vectors, vectors_of
from mmrec.io import DataError

Index = Any
"""A FAISS index (the library has no type hints)."""


def item_indices(items: pa.Table) -> npt.NDArray[np.int64]:
    """Column `item_index` of ITEM_VECTORS, which must be 1..I in order."""
    indices: npt.NDArray[np.int64] = items.column("item_index").to_numpy().astype(np.int64)
    expected = np.arange(1, items.num_rows + 1)
    if not np.array_equal(indices, expected):
        row = int(np.flatnonzero(indices != expected)[0])
        raise DataError(
            f"item vectors: item_index {indices[row]} in row {row}, expected {row + 1} "
            "(all of 1..I in order); run evaluate again"
        )
    return indices


def build_index(items: pa.Table) -> Index:
    """Exact inner-product index of ITEM_VECTORS, searched by vector, answering item indices."""
    if items.num_rows == 0:
        raise DataError("item vectors: no items to recommend; run clean and evaluate again")
    indices = item_indices(items)
    return index_of(vectors_of(items, "item vectors"), indices)


def index_of(vectors: Vectors, ids: npt.NDArray[np.int64]) -> Index:
    """Exact inner-product index of rows [I, d], answering their ids [I]."""
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(vectors, ids)
    return index


def write_index(index: Index, path: Path) -> None:
    """Write an index as one file, whole or not at all."""
    size = index.ntotal * index.d * np.dtype(np.float32).itemsize
    with atomic_path(path, num_bytes=size) as temporary, temporary.open("wb") as file:
        # Through Python's file, whose errors have a number: FAISS's own are texts.
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))  # type: ignore[attr-defined]


def read_index(path: Path) -> Index:
    """Read an index that `write_index` wrote.

    Raises:
        DataError: the file is missing or is not an index.
    """
    if not path.is_file():
        raise DataError(f"{path}: file not found; run recommend")
    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        raise DataError(f"{path}: not a readable FAISS index ({error}); run recommend") from None
