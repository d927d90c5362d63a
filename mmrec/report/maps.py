"""Maps of item vectors, run beside run: tables in, drawings with their legends out.

All runs are drawn with the same items and users, drawn by a fixed seed: equal tables, equal maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from mmrec.evaluation.neighbours import popularity_correlation
from mmrec.evaluation.vectors import Vectors
from mmrec.report.colourings import (
    Colouring,
    MapData,
    by_category,
    by_popularity,
    by_times_listed,
    by_user,
)
from mmrec.report.marks import Group, fitted, scatter
from mmrec.report.projection import Places, project
from mmrec.report.sampling import Indices
from mmrec.report.shown_items import sampled_items

NUM_ITEMS = 1000
"""Items on a map; all, where there are fewer."""


class Drawing(NamedTuple):
    """A run's map; None where there is nothing to lay out."""

    run: str
    svg: Markup | None


class Picture(NamedTuple):
    """Maps of all runs that are coloured alike.

    Attributes:
        of_items: Whether the points are those of `Maps.drawn`, in their order.
    """

    heading: str
    note: str
    legend: Sequence[Group]
    drawings: Sequence[Drawing]
    of_items: bool


class Correlation(NamedTuple):
    """How far the popularity of an item's neighbours goes with its own, in one run."""

    run: str
    value: float | None


class Layout(NamedTuple):
    """Where a run's map has the items, [x, y] in its drawing; and on how many lists each is.

    Attributes:
        points: Empty where there is nothing to lay out.
        times: Empty where lists are not counted.
    """

    run: str
    points: Sequence[Sequence[int]]
    times: Sequence[int]


@dataclass(frozen=True)
class Maps:
    """What the page shows of maps.

    Attributes:
        drawn: Places of the items that are drawn among those of the page's table, ascending.
    """

    dataset: str
    num_items: int
    drawn: Sequence[int]
    correlations: Sequence[Correlation]
    pictures: Sequence[Picture]
    layouts: Sequence[Layout]


def draw_maps(data: MapData, runs: Iterable[tuple[str, Vectors]]) -> Maps:
    """All maps of some runs, whose vectors are taken one after the other.

    Args:
        data: Of the dataset that all of them are of.
        runs: Names, and vectors of all items in order.
    """
    drawn = sampled_items(data.items.num_rows, NUM_ITEMS)
    of_all = [by_popularity(data, drawn)]
    if data.categories:
        of_all.append(by_category(data, drawn))
    steps, of_users = by_user(data)
    correlations, layouts = [], []
    made: list[list[tuple[Colouring, Drawing]]] = []
    for run, vectors in runs:
        correlations.append(Correlation(run, popularity_correlation(vectors, data.training_counts)))
        places = project(vectors[drawn])
        own = [*of_all, by_times_listed(data, drawn, run)] if data.lists else of_all
        maps = [(colouring, _map(run, places, colouring)) for colouring in own]
        made.append([*maps, (of_users, _map(run, project(vectors[steps]), of_users))])
        layouts.append(_layout(data, run, places, drawn))
    return Maps(
        dataset=data.dataset,
        num_items=data.items.num_rows,
        drawn=np.searchsorted(sampled_items(data.items.num_rows), drawn).tolist(),
        correlations=correlations,
        pictures=[_picture(alike, of_users) for alike in zip(*made, strict=True)],
        layouts=layouts,
    )


def _map(run: str, places: Places | None, colouring: Colouring) -> Drawing:
    if places is None:
        return Drawing(run, None)
    return Drawing(run, scatter(f"{run}: {colouring.heading}", places, colouring.groups))


def _picture(alike: Sequence[tuple[Colouring, Drawing]], of_users: Colouring) -> Picture:
    first = alike[0][0]
    drawings = [drawing for _, drawing in alike]
    groups = zip(*(colouring.groups for colouring, _ in alike), strict=True)
    legend = [same[0] for same in groups if any(group.members for group in same)]
    return Picture(first.heading, first.note, legend, drawings, of_items=first is not of_users)


def _layout(data: MapData, run: str, places: Places | None, drawn: Indices) -> Layout:
    return Layout(
        run,
        [] if places is None else fitted(places),
        data.lists[run].times[drawn].tolist() if data.lists else [],
    )
