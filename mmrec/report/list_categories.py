"""How many categories lists go across: the best items of users in, diversity by category out.

Categories are words of the report's own settings, which evaluation does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mmrec.evaluation.history_groups import group_members
from mmrec.evaluation.lists import (
    Floats,
    Items,
    Vectors,
    known_mean,
    list_cutoffs,
    list_diversities,
    padded_lists,
)


def with_categories(
    metrics: Mapping[str, Any], lists: pa.Table, ranks: pa.Table, categories: Sequence[str | None]
) -> dict[str, Any]:
    """Metrics of lists with `diversity_category@K` beside the others, of the same K and groups.

    Args:
        metrics: of lists, as of `summarize_lists`.
        lists: `LISTS`.
        ranks: `RANKS` of the same users.
        categories: of items 1, 2, …; None for an item without.
    """
    cutoffs = list_cutoffs(metrics["all"])
    items = padded_lists(lists, max(cutoffs, default=0))
    vectors = _one_hot(categories)
    found = list_diversities(items, cutoffs, {"category": lambda listed: vectors[listed]})
    lengths = ranks["history_length"].to_numpy()

    def means(values: Mapping[str, Floats]) -> dict[str, float]:
        of_names = {name: known_mean(of_users) for name, of_users in values.items()}
        return {name: mean for name, mean in of_names.items() if mean is not None}

    groups = {
        name: group | means({key: of[group_members(lengths, name)] for key, of in found.items()})
        for name, group in metrics["history_length"].items()
    }
    return {**metrics, "all": metrics["all"] | means(found), "history_length": groups}


def _one_hot(categories: Sequence[str | None]) -> Vectors:
    """[N, categories]: two items have cosine 1 in one category and 0 in two."""
    names = sorted({name for name in categories if name is not None})
    codes: Items = np.array([names.index(one) if one is not None else -1 for one in categories])
    vectors = np.zeros((len(categories) + 1, len(names)), dtype=np.float32)
    known = np.flatnonzero(codes >= 0)
    vectors[known + 1, codes[known]] = 1
    return vectors
