"""Single users of a dataset: ids in, their histories as item ids out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mmrec.ids import UnknownIdError, told_unknown
from mmrec.report.dataset_tables import Tables


class History(NamedTuple):
    """What a user did, oldest first; items as indices."""

    user_id: str
    user_index: int
    items: Sequence[int]


def user_index_of(user_id: str, tables: Tables, dataset: str) -> int:
    """Index of a user.

    Raises:
        UnknownIdError: the dataset has no such user; names one that is alike.
    """
    ids = tables.users["user_id"]
    row = pc.index(ids, pa.scalar(user_id, ids.type)).as_py()
    if row < 0:
        place = f"among the {len(ids):,} users of '{dataset}'"
        raise UnknownIdError(
            f"user: {told_unknown([user_id], ids.to_pylist(), '1 of 1', place)} (those with too "
            "few interactions were cleaned away)"
        )
    index: int = tables.users["user_index"][row].as_py()
    return index


def histories_of(user_indices: Sequence[int], tables: Tables) -> list[History]:
    """Whole histories, in the order of the indices."""
    wanted = pa.array(user_indices, pa.int32())
    rows = pc.index_in(wanted, value_set=tables.sequences["user_index"].combine_chunks())
    names = pc.index_in(wanted, value_set=tables.users["user_index"].combine_chunks())
    return [
        History(*found)
        for found in zip(
            tables.users["user_id"].take(names).to_pylist(),
            user_indices,
            tables.sequences["items"].take(rows).to_pylist(),
            strict=True,
        )
    ]
