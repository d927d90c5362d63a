"""A finished run: histories of anybody in, items to recommend out.

Shapes: N items incl. padding, D' width of an item's vector, K length of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeAlias

import numpy as np
import polars as pl
from torch import Tensor

from mmrec.evaluation.best_items import at_least_a_chunk, best_items
from mmrec.evaluation.lists import unit_rows
from mmrec.evaluation.vectors import Vectors
from mmrec.ids import require_ids, require_known, require_once
from mmrec.library.catalogue import Catalogue
from mmrec.library.dataset import Dataset
from mmrec.library.filters import NO_FILTERS, Filters, candidates_of, reranking_of
from mmrec.library.histories import GivenHistories, read_histories
from mmrec.library.ranker import Ranker
from mmrec.retrieval.nearest import Indices, nearest_items
from mmrec.retrieval.reranking import Lists, reranked

Best: TypeAlias = Callable[[int, Tensor], Lists]
"""Gives lists of a length, of candidates that are bool [N]."""


class Run:
    """A finished run, or an ensemble of runs, as it ranks in evaluation.

    Attributes:
        name: of the run.
        items: a row per item, item 1 first: `item_id`, `item_index`, `title`, counts, `is_cold`.
    """

    def __init__(self, name: str, catalogue: Catalogue, ranker: Ranker) -> None:
        self.name = name
        self.items = catalogue.items
        self._catalogue, self._ranker = catalogue, ranker

    def recommend(
        self,
        histories: GivenHistories,
        k: int = 10,
        *,
        filters: Filters = NO_FILTERS,
        skip_unknown: bool = False,
    ) -> pl.DataFrame:
        """The `k` best items after each history, best first, ties to the smaller item index.

        Users need not be known to the run, and nothing is trained. Scores are those that
        evaluation ranks by; their last bits depend on how many histories are asked for at once.

        Args:
            histories: item ids of each user, oldest first; or the same by the user's name.
            k: length of a list; shorter where fewer items are left.
            filters: what lists may have; by default all but what is in the history.
            skip_unknown: leave items out of histories that the catalogue does not have.

        Returns:
            `history` (its place) or `user_id` (its name), `rank` from 1 on, `item_id`, `title`,
            `score`.

        Raises:
            UnknownIdError: an item is not in the catalogue.
            ValueError: a history is empty, or a filter cannot be met.
            TypeError: a text where a list of ids is expected.
        """
        given = read_histories(histories, self._catalogue.index_of, skip_unknown=skip_unknown)
        padded = at_least_a_chunk(given.rows)

        def best(length: int, candidates: Tensor) -> Lists:
            with self._ranker.scoring(padded) as scorer:
                found = best_items(
                    scorer, padded, length, candidates=candidates, keep_seen=filters.keep_seen
                )
            rows = len(given.names)
            return Lists(found.items[:rows].numpy(), found.scores[:rows].double().numpy())

        return self._named(pl.Series(given.column, given.names), self._lists(best, k, filters))

    def histories_of(self, users: Sequence[str]) -> dict[str, list[str]]:
        """Everything that users of the run's dataset did, oldest first, for `recommend`.

        Raises:
            ValueError: a user is not there, or the run stands apart from its project.
        """
        return self._catalogue.histories_of(users)

    def similar(
        self, items: Sequence[str], k: int = 10, *, filters: Filters = NO_FILTERS
    ) -> pl.DataFrame:
        """The `k` items whose vectors have the largest cosine with that of each item.

        Args:
            items: item ids.
            k: length of a list; shorter where fewer items are left.
            filters: what lists may have; an item is never on its own list.

        Returns:
            `like` (the item asked for), `rank` from 1 on, `item_id`, `title`, `score` in [-1, 1].

        Raises:
            UnknownIdError: an item is not in the catalogue.
            ValueError: the run has no vectors of items, or none of this item, or a filter cannot
                be met.
        """
        units, asked = self._units, self._indices(items)
        unseen = [item for item, index in zip(items, asked, strict=True) if not units[index].any()]
        if unseen:
            raise ValueError(
                f"items: {unseen[0]!r} has no vector, since the run knows nothing of it; ask for "
                "another item"
            )

        def best(length: int, candidates: Tensor) -> Lists:
            found = nearest_items(units, asked, length, candidates=candidates.numpy())
            return Lists(found.items, found.scores.astype(np.float64))

        names = pl.Series("like", items, dtype=pl.String)
        return self._named(names, self._lists(best, k, filters))

    def item_vectors(self) -> pl.DataFrame:
        """Vectors whose inner product with a user's is the score, as `evaluate` writes them.

        Returns:
            `item_index`, `item_id`, `title` and `vector`, float32 [D'], item 1 first.

        Raises:
            ValueError: the run has no vectors; says why.
        """
        table = self._ranker.item_table()
        if table is None:
            raise ValueError(f"run '{self.name}' has no item vectors: {self.without_vectors}")
        vectors = pl.Series("vector", table[1:].numpy(), dtype=pl.Array(pl.Float32, table.shape[1]))
        return self.items.select("item_index", "item_id", "title").with_columns(vectors)

    @property
    def has_vectors(self) -> bool:
        """Whether there are item vectors."""
        return self._ranker.item_table() is not None

    @property
    def without_vectors(self) -> str:
        """Why `similar` and `diversity` are refused; empty where they are not."""
        return self._ranker.without_vectors

    @property
    def dataset(self) -> Dataset | None:
        """Where the items are from; None where the run stands apart from its project."""
        return self._catalogue.dataset

    def known_categories(self) -> dict[str, str]:
        """Category by item id, of the items that have one by the words of `report.categories`."""
        if not self._catalogue.has_words:
            return {}
        found = self._catalogue.categories(None)
        return {item: name for item, name in found.items() if name is not None}

    @cached_property
    def _units(self) -> Vectors:
        """Item vectors of length 1, [N, D']."""
        table = self._ranker.likeness_table()
        if table is None:
            raise ValueError(
                f"run '{self.name}' cannot say which items are alike: {self.without_vectors}; take "
                "a run of a model with vectors"
            )
        return unit_rows(table.numpy())

    def _indices(self, items: Sequence[str]) -> Indices:
        require_ids("items", items)
        if not len(items):
            raise ValueError("items: found none, expected at least one")
        require_once("items", items)
        known = self._catalogue.index_of
        require_known("items", items, known)
        return np.array([known[item] for item in items], dtype=np.int64)

    def _lists(self, best: Best, k: int, filters: Filters) -> Lists:
        if k < 1:
            raise ValueError(f"k: found {k}, expected at least 1")
        groups = self._catalogue.groups(filters)
        candidates = candidates_of(filters, self._catalogue.index_of, groups)
        of_items = None if groups is None else groups.of_items
        how = reranking_of(filters, k, of_items, lambda: self._units)
        if how is None:
            return best(k, candidates)
        return reranked(lambda length: best(length, candidates), how, len(self.items))

    def _named(self, names: pl.Series, lists: Lists) -> pl.DataFrame:
        rows, columns = np.nonzero(lists.items)
        items = self.items.select("item_id", "title")[lists.items[rows, columns] - 1]
        return pl.DataFrame(
            [
                names.gather(rows),
                pl.Series("rank", columns + 1, dtype=pl.Int32),
                *items.get_columns(),
                pl.Series("score", lists.scores[rows, columns], dtype=pl.Float32),
            ]
        )
