"""Vectors of a run's items or users as numbers: ITEM_VECTORS or USER_VECTORS in, an array out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.io import DataError

Vectors = npt.NDArray[np.float32]


def vectors_of(table: pa.Table, name: str) -> Vectors:
    """Column `vector` of a table as [rows, dim] float32.

    Args:
        table: ITEM_VECTORS or USER_VECTORS.
        name: What to call the table in an error.

    Raises:
        DataError: a vector is null, has no dimension, or is not finite.
    """
    column = table.column("vector")
    dim = column.type.list_size
    if column.null_count or dim == 0:
        found = f"{column.null_count} nulls" if dim else "vectors of dimension 0"
        raise DataError(f"{name}: column 'vector' has {found}; run evaluate again")
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors: Vectors = np.ascontiguousarray(flat, dtype=np.float32).reshape(table.num_rows, dim)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        raise DataError(
            f"{name}: {broken.size} of {table.num_rows} vectors are not finite "
            f"(first: row {broken[0]}); the model diverged, lower its learning rate"
        )
    return vectors
