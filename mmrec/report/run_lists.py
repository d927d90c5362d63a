"""What a run recommends: lists and ranks of its evaluation in, some users' lists and counts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mmrec import schemas
from mmrec.evaluation.lists import padded_lists
from mmrec.io import DataError, read_table
from mmrec.params.pipeline import Params
from mmrec.params.ranked import stage_of
from mmrec.paths import Paths
from mmrec.run_paths import lists_of

Counts = npt.NDArray[np.int64]


class UserList(NamedTuple):
    """The best items for one user, and what was held out; item indices."""

    target: int
    rank: int
    history_length: int
    items: Sequence[int]


@dataclass(frozen=True)
class RunLists:
    """The lists of one run.

    Attributes:
        length: Of the longest list.
        num_lists: Of all users; of a user with several held-out items several.
        times: [N], on how many lists item 1, 2, … is.
        of_users: By user index, where the evaluation has one; of several the last.
    """

    run: str
    length: int
    num_lists: int
    times: Counts
    of_users: Mapping[int, UserList]


def load_run_lists(
    run: str, params: Params, paths: Paths, *, num_items: int, user_indices: Sequence[int]
) -> RunLists:
    """What lies on disk of the lists of an evaluated run or ensemble.

    Raises:
        DataError: it is not evaluated, or its lists and ranks are not of one evaluation.
    """
    lists, ranks = read_lists(run, params, paths)
    return lists_of_run(run, lists, ranks, num_items=num_items, user_indices=user_indices)


def read_lists(run: str, params: Params, paths: Paths) -> tuple[pa.Table, pa.Table]:
    """LISTS and RANKS of an evaluated run or ensemble, row by row of the same.

    Raises:
        DataError: it is not evaluated, or these are not of one evaluation.
    """
    results, remedy = paths.run(run), f"run `dvc repro {stage_of(params, run)}`"
    if not results.ranks.is_file():
        raise DataError(f"'{run}' is not evaluated (no {results.ranks}); {remedy}")
    ranks = read_table(results.ranks, schemas.RANKS)
    lists = read_table(lists_of(results), schemas.LISTS)
    if not lists["user_index"].equals(ranks["user_index"]):
        raise DataError(
            f"{lists_of(results)}: found lists of other users than {results.ranks}; {remedy}"
        )
    return lists, ranks


def lists_of_run(
    run: str, lists: pa.Table, ranks: pa.Table, *, num_items: int, user_indices: Sequence[int]
) -> RunLists:
    """Lists of some users, and how often each item is on one of anybody's.

    Args:
        run: Its name.
        lists: LISTS.
        ranks: RANKS, row by row of the same.
        num_items: N.
        user_indices: Whose lists are wanted.
    """
    lengths = pc.list_value_length(lists["items"]).to_numpy()
    length = int(lengths.max(initial=0))
    items = padded_lists(lists, length)  # [R, K]
    times = np.bincount(items[items > 0], minlength=num_items + 1)[1:]
    here = pc.is_in(ranks["user_index"], value_set=pa.array(user_indices, pa.int32()))
    rows = np.flatnonzero(here.to_numpy())
    of_users: dict[int, UserList] = {}
    for row, found in zip(rows, ranks.take(pa.array(rows)).to_pylist(), strict=True):
        before = of_users.get(found["user_index"])
        if before is None or before.history_length < found["history_length"]:
            listed = items[row][items[row] > 0].tolist()
            of_users[found["user_index"]] = UserList(
                found["target"], found["rank"], found["history_length"], listed
            )
    return RunLists(run, length, lists.num_rows, times, of_users)
