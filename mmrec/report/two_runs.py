"""A page with the lists of two runs side by side: whom they differ on, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmrec import schemas
from mmrec.evaluation.comparison import sorted_samples
from mmrec.evaluation.metrics import part_members
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.report.cards import ItemCard, cards_of_indices
from mmrec.report.dataset_tables import Tables
from mmrec.report.histories import histories_of
from mmrec.report.list_differences import ListDifferences, list_differences
from mmrec.report.rendering import render
from mmrec.report.run_lists import read_lists
from mmrec.report.sampling import Indices
from mmrec.report.tables import part_name

USERS_OF_A_KIND = 8
"""Users that are shown where one run gains most, where the other does, and drawn at random."""
MAX_HISTORY = 12
"""Latest items shown of a history."""


class Place(NamedTuple):
    """An item on a list."""

    card: ItemCard
    is_shared: bool
    is_target: bool


class Side(NamedTuple):
    """One run's list for a user."""

    run: str
    rank: int
    places: Sequence[Place]


class Pair(NamedTuple):
    """A user with both lists; `history` is what came before the held-out item."""

    user_id: str
    num_seen: int
    history: Sequence[ItemCard]
    held_out: ItemCard
    num_shared: int
    sides: tuple[Side, Side]


class Kind(NamedTuple):
    """Users that have something in common."""

    heading: str
    pairs: Sequence[Pair]


def two_runs_page(runs: tuple[str, str], part: str, params: Params, paths: Paths) -> str:
    """The page; equal results give equal text.

    Args:
        runs: Two runs or ensembles on one dataset, evaluated alike.
        part: Of the users, as of comparisons.
        params: Of the project.
        paths: Of the project.

    Raises:
        DataError: lists and ranks of one are not of one evaluation.
    """
    dataset = ranked_entries(params)[runs[0]].dataset
    first, second = (read_lists(run, params, paths) for run in runs)
    members = part_members(sorted_samples(first[1]), part)
    found = list_differences(first, second, members)
    kinds = {
        f"{runs[1]} gains most": found.most_gained(USERS_OF_A_KIND, by_second=True),
        f"{runs[0]} gains most": found.most_gained(USERS_OF_A_KIND, by_second=False),
        "Drawn at random": found.drawn(USERS_OF_A_KIND),
    }
    tables = Tables(paths.dataset(dataset))
    return render(
        "two_runs.html.j2",
        title=f"{runs[0]} and {runs[1]}",
        runs=runs,
        dataset=dataset,
        part=part_name(part),
        found=found,
        mean_shared=float(found.shared.mean()) if len(found.items) else 0.0,
        kinds=[Kind(heading, _pairs(runs, rows, found, tables)) for heading, rows in kinds.items()],
    )


def _pairs(
    runs: tuple[str, str], rows: Indices, found: ListDifferences, tables: Tables
) -> list[Pair]:
    chosen = found.ranks.take(rows).to_pylist()
    histories = histories_of([row["user_index"] for row in chosen], tables)
    before = [
        history.items[: row["history_length"]][-MAX_HISTORY:]
        for row, history in zip(chosen, histories, strict=True)
    ]
    lists = [
        tuple(items[row][items[row] > 0].tolist() for items in (found.items, found.other_items))
        for row in rows
    ]
    cards = cards_of_indices(
        {
            *(item for own in before for item in own),
            *(item for pair in lists for own in pair for item in own),
            *(row["target"] for row in chosen),
        },
        items=tables.items,
        images=tables.images,
        keywords=schemas.KEYWORDS.empty_table(),
        thumbnails=tables.tiny,
    )
    return [
        Pair(
            history.user_id,
            row["history_length"],
            [cards[item] for item in own],
            cards[row["target"]],
            len({*pair[0]} & {*pair[1]}),
            (
                _side(runs[0], row["rank"], pair[0], pair[1], row["target"], cards),
                _side(runs[1], rank, pair[1], pair[0], row["target"], cards),
            ),
        )
        for row, rank, history, own, pair in zip(
            chosen, found.other_ranks[rows].tolist(), histories, before, lists, strict=True
        )
    ]


def _side(
    run: str,
    rank: int,
    own: Sequence[int],
    other: Sequence[int],
    target: int,
    cards: Mapping[int, ItemCard],
) -> Side:
    return Side(run, rank, [Place(cards[item], item in other, item == target) for item in own])
