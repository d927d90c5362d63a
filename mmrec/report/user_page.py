"""One user, and what every run makes of them: an id in, a page of its own out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmrec import schemas
from mmrec.ids import require_name
from mmrec.io import DataError
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.report.cards import ItemCard, cards_of_indices
from mmrec.report.dataset_tables import Tables
from mmrec.report.histories import histories_of, user_index_of
from mmrec.report.rendering import render
from mmrec.report.run_lists import UserList, load_run_lists
from mmrec.report.thumbnails import Thumbnails

MAX_HISTORY = 60
"""Latest items shown of the history."""


class Place(NamedTuple):
    """An item on a list.

    Attributes:
        num_lists: How many of the lists of the page have it.
    """

    card: ItemCard
    is_target: bool
    num_lists: int


class Column(NamedTuple):
    """What one run makes of the user; rank None where its evaluation leaves them out."""

    run: str
    rank: int | None
    places: Sequence[Place]

    @property
    def is_hit(self) -> bool:
        """Whether the held-out item is on the list."""
        return any(place.is_target for place in self.places)


def user_page(user_id: str, runs: Sequence[str], params: Params, paths: Paths) -> str:
    """The page of one user; equal results give equal text.

    Args:
        user_id: As the dataset has it.
        runs: Runs and ensembles on one dataset; none for all on that of the report.

    Raises:
        ValueError: no such user or run.
        DataError: runs on several datasets, or one that is not evaluated.
    """
    dataset, names = _dataset_of(runs, params)
    tables = Tables(paths.dataset(dataset))
    index = user_index_of(user_id, tables, dataset)
    (history,) = histories_of([index], tables)
    lists = _lists_of(index, names, tables, params, paths)
    own = [one for one in lists.values() if one]
    # The item after so many is held out; what comes later is no part of what runs saw.
    seen = own[0].history_length if own else len(history.items)
    shown = history.items[max(0, seen - MAX_HISTORY) : seen]
    cards = cards_of_indices(
        {*shown, *(item for one in own for item in (one.target, *one.items))},
        items=tables.items,
        images=tables.images,
        keywords=schemas.KEYWORDS.empty_table(),
        thumbnails=Thumbnails(tables.pictures),
    )
    return render(
        "user_page.html.j2",
        title=f"User {user_id}",
        dataset=dataset,
        num_interactions=len(history.items),
        num_seen=seen,
        history=[cards[item] for item in shown],
        held_out=cards[own[0].target] if own else None,
        num_items=tables.items.num_rows,
        columns=_columns(lists, cards),
        length=max((len(one.items) for one in own), default=0),
    )


def _lists_of(
    user_index: int, runs: Sequence[str], tables: Tables, params: Params, paths: Paths
) -> dict[str, UserList | None]:
    number, wanted = tables.items.num_rows, [user_index]
    found = {
        run: load_run_lists(run, params, paths, num_items=number, user_indices=wanted)
        for run in runs
    }
    return {run: one.of_users.get(user_index) for run, one in found.items()}


def _dataset_of(runs: Sequence[str], params: Params) -> tuple[str, list[str]]:
    entries = ranked_entries(params)
    for run in runs:
        require_name("run", run, entries)
    if not runs:
        dataset = params.report.dataset
        return dataset, [name for name, entry in entries.items() if entry.dataset == dataset]
    first, *others = dict.fromkeys(entries[run].dataset for run in runs)
    if others:
        raise DataError(
            f"--run: found runs on '{first}' and on '{others[0]}', which have other users; name "
            "runs on one dataset"
        )
    return first, [*dict.fromkeys(runs)]


def _columns(lists: Mapping[str, UserList | None], cards: Mapping[int, ItemCard]) -> list[Column]:
    times: dict[int, int] = {}
    for one in lists.values():
        for item in one.items if one else ():
            times[item] = times.get(item, 0) + 1
    return [
        Column(
            run,
            one.rank if one else None,
            [Place(cards[item], item == one.target, times[item]) for item in one.items]
            if one
            else [],
        )
        for run, one in lists.items()
    ]
