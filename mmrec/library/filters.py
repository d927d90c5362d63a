"""What may be recommended: ids, a category, and how alike the items of a list may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrec.evaluation.vectors import Vectors
from mmrec.ids import listed, nearest, require_ids, require_known, require_once
from mmrec.retrieval.reranking import Items, Reranking

Categories: TypeAlias = Mapping[str, str | None]
"""Category by item id; items that are not in it, or with None, have none."""


@dataclass(frozen=True)
class Filters:
    """Which items lists may have.

    Attributes:
        exclude: item ids that no list has, such as what is out of stock.
        include: item ids that alone may be on lists; None for all.
        keep_seen: items of the history may be on the list.
        category: only items of this one.
        max_per_category: at most so many items of a category on a list; those without a category
            do not count. None for no limit.
        categories: category by item id; or the name of a field of the source, the first text of
            which is an item's category; or None for the words that `report.categories` of
            `params.yaml` looks for in an item's text.
        diversity: 0 to 1: how much it counts against an item that it is like one above it on the
            list (`mmrec.retrieval.reranking`); 0 leaves lists as the scores have them.
    """

    exclude: Sequence[str] = ()
    include: Sequence[str] | None = None
    keep_seen: bool = False
    category: str | None = None
    max_per_category: int | None = None
    categories: Categories | str | None = field(default=None, repr=False)
    diversity: float = 0.0

    def __post_init__(self) -> None:
        for name in ("exclude", "include"):
            ids = getattr(self, name)
            if ids is not None:
                require_ids(name, ids)
                require_once(name, ids)
        if self.max_per_category is not None and self.max_per_category < 1:
            raise ValueError(
                f"max_per_category: found {self.max_per_category}, expected at least 1 or None"
            )
        if not 0 <= self.diversity <= 1:
            raise ValueError(f"diversity: found {self.diversity}, expected 0 to 1")

    @property
    def need_categories(self) -> bool:
        """Whether anything is asked of the categories of items."""
        return self.category is not None or self.max_per_category is not None


class ItemGroups(NamedTuple):
    """Categories of items by number.

    Attributes:
        names: of the categories.
        of_items: int64 [N], by item index: a category's place among the names, or -1 for none.
    """

    names: Sequence[str]
    of_items: npt.NDArray[np.int64]


def group_items(item_ids: Sequence[str], categories: Categories) -> ItemGroups:
    """Categories of items 1, 2, … by number; padding has none."""
    found = [categories.get(item) for item in item_ids]
    names = sorted({name for name in found if name is not None})
    places = {name: place for place, name in enumerate(names)}
    codes = [-1, *(-1 if name is None else places[name] for name in found)]
    return ItemGroups(names, np.array(codes, dtype=np.int64))


def candidates_of(filters: Filters, known: Mapping[str, int], groups: ItemGroups | None) -> Tensor:
    """Items that any list may have, bool [N] by item index; padding is none.

    Args:
        filters: what is asked for.
        known: item index by item id.
        groups: of the items, where categories are asked for.

    Raises:
        UnknownIdError: an id is not in the catalogue.
        ValueError: no item has the category, or nothing is left to recommend.
    """
    found = torch.ones(len(known) + 1, dtype=torch.bool)
    if filters.include is not None:
        require_known("include", filters.include, known)
        found[:] = False
        found[[known[item] for item in filters.include]] = True
    require_known("exclude", filters.exclude, known)
    found[[known[item] for item in filters.exclude]] = False
    found[0] = False
    if filters.category is not None:
        assert groups is not None
        found &= torch.from_numpy(groups.of_items == _place_of(filters.category, groups.names))
    if not found.any():
        raise ValueError("filters: no item is left to recommend; take one of them away")
    return found


def reranking_of(
    filters: Filters, k: int, groups: Items | None, vectors: Callable[[], Vectors]
) -> Reranking | None:
    """How lists are chosen among candidates; None where they stay as the scores have them.

    Args:
        filters: what is asked for.
        k: length of a list.
        groups: category of each candidate by its index, -1 for none; None where none is asked for.
        vectors: gives those of the candidates, of length 1, by the same index.
    """
    if filters.max_per_category is None and not filters.diversity:
        return None
    return Reranking(
        length=k,
        diversity=filters.diversity,
        vectors=vectors() if filters.diversity else None,
        groups=groups if filters.max_per_category else None,
        max_per_group=filters.max_per_category or 1,
    )


def _place_of(category: str, names: Sequence[str]) -> int:
    if category not in names:
        hint = nearest(category, names)
        raise ValueError(f"category: found {category!r}, {hint}allowed: {listed(names)}")
    return names.index(category)


NO_FILTERS: Final = Filters()
