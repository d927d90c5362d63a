"""Maps of item vectors, run beside run: tables in, drawings with their legends out.

All runs are drawn with the same items and users, drawn by a fixed seed: equal tables, equal maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from markupsafe import Markup

from mmrec.evaluation.neighbours import popularity_correlation
from mmrec.evaluation.vectors import Vectors
from mmrec.report.categories import categories_of
from mmrec.report.marks import Group, Mark, marks, scatter
from mmrec.report.projection import Places, project
from mmrec.seeds import derive_seed

NUM_ITEMS = 1000
"""Items on a map; all, where there are fewer."""
NUM_USERS = 10
MAX_STEPS = 100
"""Latest items drawn of a user's history."""
_SEED = 0
_RARE_TO_POPULAR = ("#0072B2", "#3F8BBA", "#80939E", "#A09279", "#BD8B3C", "#D0721A", "#C8440A")
"""From blue to orange, which all kinds of colour vision tell apart, on white and on black."""
_OTHERS = Mark("currentColor", "dot", 0.3)

Indices = npt.NDArray[np.int64]


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
    """

    dataset: str
    items: pa.Table
    users: pa.Table
    sequences: pa.Table
    sentences: pa.Table
    categories: Sequence[str]
    cold_threshold: int


class Drawing(NamedTuple):
    """A run's map; None where there is nothing to lay out."""

    run: str
    svg: Markup | None


class Picture(NamedTuple):
    """Maps of all runs that are coloured alike."""

    heading: str
    note: str
    legend: Sequence[Group]
    drawings: Sequence[Drawing]


class Correlation(NamedTuple):
    """How far the popularity of an item's neighbours goes with its own, in one run."""

    run: str
    value: float | None


@dataclass(frozen=True)
class Maps:
    """What the page shows of maps."""

    dataset: str
    num_items: int
    num_drawn: int
    correlations: Sequence[Correlation]
    pictures: Sequence[Picture]


class _Colouring(NamedTuple):
    heading: str
    note: str
    groups: Sequence[Group]


def draw_maps(data: MapData, runs: Iterable[tuple[str, Vectors]]) -> Maps:
    """All maps of some runs, whose vectors are taken one after the other.

    Args:
        data: Of the dataset that all of them are of.
        runs: Names, and vectors of all items in order.
    """
    drawn = _sample(data.items.num_rows, NUM_ITEMS, "items")
    of_items = [_by_popularity(data, drawn)]
    if data.categories:
        of_items.append(_by_category(data, drawn))
    steps, of_users = _by_user(data)
    counts = data.items.column("training_count").to_numpy()
    correlations = []
    drawings: list[list[Drawing]] = []
    for run, vectors in runs:
        correlations.append(Correlation(run, popularity_correlation(vectors, counts)))
        places = project(vectors[drawn])
        maps = [_map(run, places, colouring) for colouring in of_items]
        drawings.append([*maps, _map(run, project(vectors[steps]), of_users)])
    return Maps(
        dataset=data.dataset,
        num_items=data.items.num_rows,
        num_drawn=len(drawn),
        correlations=correlations,
        pictures=[
            Picture(heading, note, [group for group in groups if group.members], made)
            for (heading, note, groups), made in zip(
                [*of_items, of_users], zip(*drawings, strict=True), strict=True
            )
        ],
    )


def _map(run: str, places: Places | None, colouring: _Colouring) -> Drawing:
    if places is None:
        return Drawing(run, None)
    return Drawing(run, scatter(f"{run}: {colouring.heading}", places, colouring.groups))


def _by_popularity(data: MapData, drawn: Indices) -> _Colouring:
    counts = data.items.column("training_count").to_numpy()
    edges = _edges(data.cold_threshold, int(counts.max(initial=0)))
    shown = counts[drawn]
    groups = []
    for (low, high), colour in zip(pairwise(edges), _spread(len(edges) - 1), strict=True):
        cold = low < data.cold_threshold
        label = f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}"
        members = np.flatnonzero((shown >= low) & (shown < high)).tolist()
        mark = Mark(colour, "cross" if cold else "dot")
        groups.append(Group(f"{label} (cold)" if cold else label, mark, members))
    note = "Colours stand for training interactions"
    if data.cold_threshold:
        note += f"; cold items, with fewer than {data.cold_threshold:,}, are crosses"
    return _Colouring("items by popularity", f"{note}.", groups)


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


def _by_category(data: MapData, drawn: Indices) -> _Colouring:
    item_ids = data.items.column("item_id").take(pa.array(drawn)).to_pylist()
    found = categories_of(item_ids, data.sentences, data.categories)
    looks = dict(zip(data.categories, marks(len(data.categories)), strict=True))
    rows: dict[str | None, list[int]] = {}
    for row, category in enumerate(found):
        rows.setdefault(category, []).append(row)
    groups = [Group("none of these", _OTHERS, rows.get(None, []))]
    groups += [Group(name, mark, rows.get(name, [])) for name, mark in looks.items()]
    note = "An item’s category is the first of these words in its text, title and all."
    return _Colouring("items by category", note, groups)


def _by_user(data: MapData) -> tuple[Indices, _Colouring]:
    """The item of every step of some histories, and a group for each user."""
    chosen = _sample(data.sequences.num_rows, NUM_USERS, "users")
    sequences = data.sequences.take(pa.array(chosen))
    names = dict(
        zip(
            data.users.column("user_index").to_pylist(),
            data.users.column("user_id").to_pylist(),
            strict=True,
        )
    )
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
    return np.array(items, np.int64), _Colouring("histories by user", note, groups)


def _sample(number: int, most: int, of: str) -> Indices:
    """Some of so many rows, ascending."""
    generator = np.random.default_rng(derive_seed(_SEED, "maps", of))
    return np.sort(generator.choice(number, min(number, most), replace=False))
