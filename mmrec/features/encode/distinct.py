"""Rows by item and position, and the distinct contents behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mmrec.features.contract import IntArray
from mmrec.io import DataError


@dataclass(frozen=True)
class DistinctRows:
    """Rows by item and position, and the distinct contents behind them."""

    table: pa.Table
    """As given, in ascending order of item_id, position."""
    keys: list[bytes]
    """Distinct content keys, ascending."""
    first_row: IntArray
    """A row of each distinct content."""
    content_of_row: IntArray
    """Index into `keys` of each row."""

    def item_of(self, content: int) -> str:
        """The first item that has the content."""
        return str(self.table["item_id"][int(self.first_row[content])].as_py())


def distinct_rows(table: pa.Table) -> DistinctRows:
    """Sort rows by item_id, position and find the distinct values of their content_key.

    Raises:
        DataError: two rows have the same item_id and position.
    """
    table = table.sort_by([("item_id", "ascending"), ("position", "ascending")]).combine_chunks()
    items, positions = table["item_id"].to_numpy(), table["position"].to_numpy()
    repeated = np.flatnonzero((items[1:] == items[:-1]) & (positions[1:] == positions[:-1]))
    if repeated.size:
        row = int(repeated[0])
        raise DataError(
            f"{repeated.size} rows have the item_id and position of another (first: "
            f"'{items[row]}', {positions[row]}); run the clean stage again"
        )
    raw = b"".join(table["content_key"].to_pylist())
    unique, first_row, content_of_row = np.unique(
        np.frombuffer(raw, dtype="S16"), return_index=True, return_inverse=True
    )
    joined = unique.tobytes()
    keys = [joined[i : i + 16] for i in range(0, len(joined), 16)]
    return DistinctRows(table, keys, first_row, content_of_row)
