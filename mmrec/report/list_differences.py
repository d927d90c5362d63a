"""How far the lists of two runs differ, user by user: lists and ranks in, figures out.

Shapes: R lists, K length of the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mmrec.evaluation.lists import Items, padded_lists
from mmrec.report.sampling import Indices, drawn_at_random

Flags = npt.NDArray[np.bool_]


class Hits(NamedTuple):
    """Lists by who of the two has the held-out item on them."""

    both: int
    first: int
    second: int
    neither: int


@dataclass(frozen=True)
class ListDifferences:
    """Two runs' lists for the same users and held-out items.

    Attributes:
        ranks: RANKS of the first run.
        other_ranks: [R], of the held-out items in the second run.
        items: [R, K] of the first run, 0 where a list has fewer.
        other_items: Of the second.
    """

    ranks: pa.Table
    other_ranks: Items
    items: Items
    other_items: Items

    @property
    def length(self) -> int:
        """K."""
        return int(self.items.shape[1])

    @property
    def shared(self) -> Items:
        """[R], items that are on both lists."""
        found = np.zeros(len(self.items), np.int64)
        for place in range(self.length):
            own = self.items[:, place, None]  # [R, 1]
            found += ((self.other_items == own) & (own > 0)).any(axis=1)
        return found

    @property
    def shared_counts(self) -> Sequence[int]:
        """[K + 1], lists that share 0, 1, … items."""
        counts: list[int] = np.bincount(self.shared, minlength=self.length + 1).tolist()
        return counts

    @property
    def gains(self) -> npt.NDArray[np.float64]:
        """[R], 1 / rank in the second run less that in the first: above 0 the second is better."""
        gains: npt.NDArray[np.float64] = 1 / self.other_ranks - 1 / self.ranks["rank"].to_numpy()
        return gains

    @property
    def hits(self) -> Hits:
        """Who has the held-out item."""
        targets = self.ranks["target"].to_numpy()[:, None]  # [R, 1]
        first: Flags = (self.items == targets).any(axis=1)
        second: Flags = (self.other_items == targets).any(axis=1)
        return Hits(
            int((first & second).sum()),
            int((first & ~second).sum()),
            int((second & ~first).sum()),
            int((~first & ~second).sum()),
        )

    def most_gained(self, number: int, *, by_second: bool) -> Indices:
        """Rows where one run gains most over the other, most first; of equals the earlier one."""
        gains = self.gains if by_second else -self.gains
        order = np.argsort(-gains, kind="stable")[:number]
        return order[gains[order] > 0]

    def drawn(self, number: int) -> Indices:
        """Rows drawn at random, the same every time."""
        return drawn_at_random(len(self.items), number, "lists")


def list_differences(
    first: tuple[pa.Table, pa.Table], second: tuple[pa.Table, pa.Table], members: Flags | None
) -> ListDifferences:
    """Lists of two runs, brought into one order.

    Args:
        first: LISTS and RANKS of one run.
        second: The same of the other, of the same users and held-out items in any order.
        members: Which rows count, of RANKS in order of users and history lengths; None for all.
    """
    ordered = [_ordered(*own) for own in (first, second)]
    if members is not None:
        rows = pa.array(np.flatnonzero(members))
        ordered = [(lists.take(rows), ranks.take(rows)) for lists, ranks in ordered]
    length = max(_longest(lists) for lists, _ in ordered)
    (lists, ranks), (other_lists, other_ranks) = ordered
    return ListDifferences(
        ranks=ranks,
        other_ranks=other_ranks["rank"].to_numpy(),
        items=padded_lists(lists, length),
        other_items=padded_lists(other_lists, length),
    )


def _ordered(lists: pa.Table, ranks: pa.Table) -> tuple[pa.Table, pa.Table]:
    order = pc.sort_indices(ranks, [("user_index", "ascending"), ("history_length", "ascending")])
    return lists.take(order), ranks.take(order)


def _longest(lists: pa.Table) -> int:
    return int(pc.list_value_length(lists["items"]).to_numpy().max(initial=0))
