"""A feature and queries in; the items whose contents are most like them out.

Shapes: R rows, N items incl. padding, d width of a vector.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from mmrec.evaluation.lists import unit_rows
from mmrec.features.table import FeatureTable
from mmrec.library.queries import Query
from mmrec.library.query_encoders import Encoders
from mmrec.retrieval.best_contents import best_contents


class FeatureSearch:
    """Finds contents of items by cosine, and their items.

    Args:
        items: CLEAN_ITEMS.
        table: vectors of these items.
        positions: of the contents, in the order of the table, [R].
        encoders: of queries.
    """

    def __init__(
        self, items: pl.DataFrame, table: FeatureTable, positions: pl.Series, encoders: Encoders
    ) -> None:
        units = unit_rows(table.vectors.float().numpy())
        owners = torch.repeat_interleave(torch.arange(len(table.counts)), table.counts).numpy()
        has_direction = np.flatnonzero(units.any(axis=1))
        self._units = np.ascontiguousarray(units[has_direction])
        self._owners = owners[has_direction]
        self._positions = positions.gather(has_direction)
        self._items, self._encoders = items, encoders

    def find(self, query: Query, k: int) -> pl.DataFrame:
        """The `k` items with the contents nearest to a query; see `FeatureRows.search`."""
        vector = self._encoders.vector(query)
        found = best_contents(self._units, self._owners, vector, k)
        items = self._items.select("item_id", "title")[self._owners[found.rows] - 1]
        count = len(found.rows)
        return pl.DataFrame(
            [
                pl.Series("query", [query.name] * count, dtype=pl.String),
                pl.Series("rank", np.arange(1, count + 1), dtype=pl.Int32),
                *items.get_columns(),
                pl.Series("score", found.scores, dtype=pl.Float32),
                self._positions.gather(found.rows),
            ]
        )
