"""What points of a map are coloured by: tables in, groups of points that look alike out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.report.categories import categories_of
from mmrec.report.marks import Group, Mark, marks
from mmrec.report.run_lists import Counts, RunLists
from mmrec.report.sampling import Indices, drawn_at_random

NUM_USERS = 10
MAX_STEPS = 100
"""Latest items drawn of a user's history."""
_RARE_TO_POPULAR = ("#0072B2", "#3F8BBA", "#80939E", "#A09279", "#BD8B3C", "#D0721A", "#C8440A")
"""From blue to orange, which all kinds of colour vision tell apart, on white and on black."""
_OTHERS = Mark("currentColor", "dot", 0.3)


@dataclass(frozen=True)
class MapData:
    """What all maps of a dataset are drawn of.

    Attributes:
        items: CLEAN_ITEMS.
        users: CLEAN_USERS.
        sequences: CLEAN_SEQUENCES.
        sentences: SENTENCES.
        categories: Words that name one.
        cold_threshold: Training interactions below which an item is cold.
        lists: By run, how often each item is recommended; empty leaves that out.
    """

    dataset: str
    items: pa.Table
    users: pa.Table
    sequences: pa.Table
    sentences: pa.Table
    categories: Sequence[str]
    cold_threshold: int
    lists: Mapping[str, RunLists] = field(default_factory=dict)

    @property
    def training_counts(self) -> npt.NDArray[np.int32]:
        """Training interactions of item 1, 2, …"""
        counts: npt.NDArray[np.int32] = self.items["training_count"].to_numpy()
        return counts


class Colouring(NamedTuple):
    """Groups of points, of one run or of all of them."""

    heading: str
    note: str
    groups: Sequence[Group]


def by_popularity(data: MapData, drawn: Indices) -> Colouring:
    """By training interactions, cold items as crosses."""
    counts = data.training_counts
    groups = _by_count(counts[drawn], int(counts.max(initial=0)), data.cold_threshold)
    note = "Colours stand for training interactions"
    if data.cold_threshold:
        note += f"; cold items, with fewer than {data.cold_threshold:,}, are crosses"
    return Colouring("items by popularity", f"{note}.", groups)


def by_times_listed(data: MapData, drawn: Indices, run: str) -> Colouring:
    """By how many of the lists of a run an item is on; colours mean the same for all runs."""
    lists = data.lists[run]
    most = max(int(one.times[drawn].max(initial=0)) for one in data.lists.values())
    note = (
        f"Colours stand for the number of lists of the {lists.length} best items that an item is "
        f"on, of the {lists.num_lists:,} that each run was evaluated with."
    )
    return Colouring("items by how often recommended", note, _by_count(lists.times[drawn], most))


def by_category(data: MapData, drawn: Indices) -> Colouring:
    """By the first of some words in an item's text."""
    item_ids = data.items.column("item_id").take(pa.array(drawn)).to_pylist()
    found = categories_of(item_ids, data.sentences, data.categories)
    looks = dict(zip(data.categories, marks(len(data.categories)), strict=True))
    rows: dict[str | None, list[int]] = {}
    for row, category in enumerate(found):
        rows.setdefault(category, []).append(row)
    groups = [Group("none of these", _OTHERS, rows.get(None, []))]
    groups += [Group(name, mark, rows.get(name, [])) for name, mark in looks.items()]
    note = "An item’s category is the first of these words in its text, title and all."
    return Colouring("items by category", note, groups)


def by_user(data: MapData) -> tuple[Indices, Colouring]:
    """The item of every step of some histories, and a group for each user."""
    chosen = drawn_at_random(data.sequences.num_rows, NUM_USERS, "users")
    sequences = data.sequences.take(pa.array(chosen))
    indices, ids = (data.users.column(name).to_pylist() for name in ("user_index", "user_id"))
    names = dict(zip(indices, ids, strict=True))
    items: list[int] = []
    groups = []
    for row, mark in zip(sequences.to_pylist(), marks(len(chosen)), strict=True):
        steps = row["items"][-MAX_STEPS:]
        members = list(range(len(items), len(items) + len(steps)))
        items += [index - 1 for index in steps]
        groups.append(Group(names[row["user_index"]], mark, members))
    note = (
        f"A point for the item of every step, at most the latest {MAX_STEPS}, of {len(chosen)} "
        "users drawn at random."
    )
    return np.array(items, np.int64), Colouring("histories by user", note, groups)


def _by_count(
    shown: Counts | npt.NDArray[np.int32], most: int, cold_threshold: int = 0
) -> list[Group]:
    edges = _edges(cold_threshold, most)
    groups = []
    for (low, high), colour in zip(pairwise(edges), _spread(len(edges) - 1), strict=True):
        cold = low < cold_threshold
        label = f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}"
        members = np.flatnonzero((shown >= low) & (shown < high)).tolist()
        mark = Mark(colour, "cross" if cold else "dot")
        groups.append(Group(f"{label} (cold)" if cold else label, mark, members))
    return groups


def _edges(cold_threshold: int, most: int) -> list[int]:
    """Counts at which a colour begins: 0, 1, the threshold, and from there on by equal ratios."""
    end = most + 1
    start = max(1, cold_threshold)
    edges = {0, 1, start, end}
    if start < end:
        edges |= {round(edge) for edge in np.geomspace(start, end, len(_RARE_TO_POPULAR) - 1)}
    return sorted(edge for edge in edges if edge <= end)


def _spread(number: int) -> list[str]:
    """So many colours from rare to popular."""
    places = np.linspace(0, len(_RARE_TO_POPULAR) - 1, number).round().astype(int)
    return [_RARE_TO_POPULAR[place] for place in places]
