"""A feature and queries in; the items whose contents are most like them out.

Shapes: R rows, N items incl. padding, d width of a vector.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch

from mmrec.evaluation.lists import unit_rows
from mmrec.evaluation.vectors import Vectors
from mmrec.features.table import FeatureTable
from mmrec.library.catalogue import Catalogue
from mmrec.library.filters import Filters, candidates_of, reranking_of
from mmrec.library.queries import Query
from mmrec.library.query_encoders import Encoders
from mmrec.retrieval.best_contents import BestContents, best_contents
from mmrec.retrieval.reranking import Items, Lists, reranked


class FeatureSearch:
    """Finds contents of items by cosine, and their items.

    Args:
        catalogue: the items.
        table: vectors of these items.
        positions: of the contents, in the order of the table, [R].
        encoders: of queries.
    """

    def __init__(
        self, catalogue: Catalogue, table: FeatureTable, positions: pl.Series, encoders: Encoders
    ) -> None:
        units = unit_rows(table.vectors.float().numpy())
        owners = torch.repeat_interleave(torch.arange(len(table.counts)), table.counts).numpy()
        has_direction = np.flatnonzero(units.any(axis=1))
        self._units = np.ascontiguousarray(units[has_direction])
        self._owners = owners[has_direction]
        self._positions = positions.gather(has_direction)
        self._catalogue, self._encoders = catalogue, encoders

    def find(self, query: Query, k: int, filters: Filters) -> pl.DataFrame:
        """The `k` items with the contents nearest to a query; see `FeatureRows.search`."""
        groups = self._catalogue.groups(filters)
        candidates = candidates_of(filters, self._catalogue.index_of, groups).numpy()
        rows = np.flatnonzero(candidates[self._owners])
        of_rows = None if groups is None else groups.of_items[self._owners[rows]]
        found = self._best(rows, self._encoders.vector(query), k, filters, of_rows)
        return self._named(query, rows[found.rows], found)

    def _best(
        self, rows: Items, query: Vectors, k: int, filters: Filters, groups: Items | None
    ) -> BestContents:
        """Places among some rows of those that are on the list."""
        if not len(rows):
            return BestContents(np.empty(0, np.int64), np.empty(0))
        is_all = len(rows) == len(self._units)
        units = self._units if is_all else self._units[rows]
        owners = self._owners[rows]

        def best(length: int) -> Lists:
            found = best_contents(units, owners, query, length)
            return Lists(found.rows[None] + 1, found.scores[None])

        # By the place of a row from 1 on, since 0 is no item to what makes lists diverse.
        how = reranking_of(
            filters,
            k,
            None if groups is None else np.concatenate([[-1], groups]),
            lambda: np.concatenate([np.zeros_like(units[:1]), units]),
        )
        if how is None:
            return best_contents(units, owners, query, k)
        lists = reranked(best, how, len(np.unique(owners)))
        chosen = lists.items[0] > 0
        return BestContents(lists.items[0][chosen] - 1, lists.scores[0][chosen])

    def _named(self, query: Query, rows: Items, found: BestContents) -> pl.DataFrame:
        items = self._catalogue.items.select("item_id", "title")[self._owners[rows] - 1]
        return pl.DataFrame(
            [
                pl.Series("query", [query.name] * len(rows), dtype=pl.String),
                pl.Series("rank", np.arange(1, len(rows) + 1), dtype=pl.Int32),
                *items.get_columns(),
                pl.Series("score", found.scores, dtype=pl.Float32),
                self._positions.gather(rows),
            ]
        )
