"""Item ids that somebody interacted with in; histories as models read them out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch

from mmrec.data.histories import Histories
from mmrec.ids import require_ids, require_known

logger = logging.getLogger(__name__)

GivenHistories: TypeAlias = Sequence[Sequence[str]] | Mapping[str, Sequence[str]]
"""Item ids, oldest first: one history after the other, or by the name of a user."""


class NamedHistories(NamedTuple):
    """Histories, and whose they are.

    Attributes:
        column: what their names are: `user_id`, or `history` where only their order tells them
            apart.
        names: of the rows.
        rows: as models read them.
    """

    column: str
    names: Sequence[str] | Sequence[int]
    rows: Histories


def read_histories(
    given: GivenHistories, known: Mapping[str, int], *, skip_unknown: bool
) -> NamedHistories:
    """Histories by item index.

    Args:
        given: item ids, oldest first, of users that the run need not know.
        known: item index by item id.
        skip_unknown: leave out items that are not in the catalogue.

    Raises:
        UnknownIdError: an item is not in the catalogue.
        ValueError: a history is empty, or there is none.
        TypeError: a text where a list of ids is expected.
    """
    if isinstance(given, str):
        require_ids("histories", given)
    if not len(given):
        raise ValueError("histories: found none, expected at least one")
    names: list[str] | list[int]
    if isinstance(given, Mapping):
        names, lists, column, where = [*given], [*given.values()], "user_id", "history of"
    else:
        names, lists, column, where = [*range(len(given))], [*given], "history", "history"
    found = [
        _indices(f"{where} {name!r}", items, known, skip_unknown=skip_unknown)
        for name, items in zip(names, lists, strict=True)
    ]
    lengths = torch.tensor([len(items) for items in found], dtype=torch.int64)
    rows = Histories(
        torch.tensor([item for items in found for item in items], dtype=torch.int32),
        torch.arange(len(found)),
        lengths.cumsum(0) - lengths,
        lengths,
    )
    return NamedHistories(column, names, rows)


def _indices(
    where: str, items: Sequence[str], known: Mapping[str, int], *, skip_unknown: bool
) -> list[int]:
    require_ids(where, items)
    if not len(items):
        raise ValueError(
            f"{where}: found no items, expected at least one: a model says what comes after "
            "something; to somebody new show what is popular (`items` has training counts)"
        )
    there = [known[item] for item in items if item in known]
    if len(there) < len(items) and not (skip_unknown and there):
        require_known(where, items, known)
    if len(there) < len(items):
        left = len(items) - len(there)
        logger.warning("%s: %d of %d items are not in the catalogue", where, left, len(items))
    return there
