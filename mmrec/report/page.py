"""The page: what was run, measured and recommended in, one self-contained HTML text out.

Nothing on it comes from elsewhere: pictures, curves and code are inside, and a content security
policy forbids every request, and all code but the page's own. Without that code the page shows
the same, but for what has to be chosen first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from mmrec.params.pipeline import MaskHistory
from mmrec.report.curves import history_length_plots
from mmrec.report.differences import Contrast, contrast
from mmrec.report.gallery import GalleryEntry
from mmrec.report.identities import Identity, identities
from mmrec.report.maps import Maps
from mmrec.report.ordering import Ordering, ordering
from mmrec.report.page_data import page_data
from mmrec.report.plots import Plot, Style, styles
from mmrec.report.rendering import as_data, render, script_of
from mmrec.report.runs import KnockoutReport, PretrainingReport, RunReport
from mmrec.report.search_plots import SEARCH_LOOKS
from mmrec.report.searches import seen
from mmrec.report.showcase import MAX_RECOMMENDED, SampleUser
from mmrec.report.shown_items import ShownItems
from mmrec.report.shown_lists import ShownLists
from mmrec.report.steps import DatasetReport
from mmrec.report.tables import (
    PARTS,
    Cell,
    Row,
    best_values,
    cells,
    comparison_rows,
    list_rows,
    metric_label,
    metric_order,
    part_name,
)
from mmrec.report.trainings import trainings


@dataclass(frozen=True)
class Protocol:
    """How all runs were evaluated.

    Attributes:
        mask_history: Whether items of a user's history are no candidates, or ones with score 0.
        cold_thresholds: By dataset, training interactions below which an item is cold.
        contradictions: Sentences on settings that contradict each other.
        cold_positions: Which cold positions are ranked, too; None for none.
    """

    mask_history: MaskHistory
    cold_thresholds: Mapping[str, int]
    contradictions: Sequence[str] = ()
    cold_positions: str | None = None


@dataclass(frozen=True)
class Showcase:
    """Pictures and users of one dataset, and the run whose lists these are.

    Attributes:
        keep_seen: Whether a list may hold items of the history.
        lists: Content of the lists' summary.json; empty where there are no lists.
    """

    dataset: str
    run: str
    keep_seen: bool = False
    lists: Mapping[str, Any] = field(default_factory=dict)
    gallery: Sequence[GalleryEntry] = ()
    users: Sequence[SampleUser] = ()


@dataclass(frozen=True)
class _Line:
    run: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class _Part:
    name: str
    size: int
    unit: str
    lines: Sequence[_Line]


@dataclass(frozen=True)
class _Table:
    """Figures of runs: parts below each other, metrics beside each other by family."""

    families: Sequence[tuple[str, int]]
    columns: Sequence[str]
    parts: Sequence[_Part]


@dataclass(frozen=True)
class _Comparison:
    """One dataset's runs side by side."""

    dataset: str
    identities: Sequence[Identity]
    metrics: _Table
    lists: _Table
    contrast: Contrast | None
    knockouts: Sequence[KnockoutReport]
    looks: Mapping[str, Style]
    history_length: Sequence[Plot]
    told: Ordering


_BestOf = Callable[[Iterable[Row]], Mapping[str, float]]


def render_page(
    *,
    title: str,
    datasets: Sequence[DatasetReport],
    runs: Sequence[RunReport],
    protocol: Protocol,
    showcase: Showcase,
    pretrainings: Sequence[PretrainingReport] = (),
    maps: Maps | None = None,
    items: ShownItems | None = None,
    lists: ShownLists | None = None,
) -> str:
    """The whole page; equal arguments give equal text.

    Args:
        title: Heading of the page.
        datasets: Datasets whose cleaning is told.
        runs: All runs, in the order in which they are to be listed.
        protocol: How they were evaluated.
        showcase: What is shown in pictures; its run is tested against the others.
        pretrainings: All of them, in the order in which they are to be listed.
        maps: Of the vectors of some runs; None leaves them out.
        items: To look through; None leaves them out, and maps then say nothing of their points.
        lists: Of all runs for the users that are shown; None leaves them out.
    """
    return render(
        "page.html.j2",
        title=title,
        datasets=datasets,
        **_of_runs(runs, pretrainings, showcase.run),
        protocol=protocol,
        showcase=showcase,
        max_recommended=MAX_RECOMMENDED,
        maps=maps,
        items=items,
        lists=lists,
        data=as_data(page_data(items, maps, lists)),
        script=script_of("shared.js", "items.js", "maps.js", "lists.js"),
    )


def _of_runs(
    runs: Sequence[RunReport], pretrainings: Sequence[PretrainingReport], chosen: str
) -> dict[str, object]:
    """What the template names of runs, and of what follows from them."""
    comparisons = _comparisons(runs, chosen)
    return {
        "runs": runs,
        "comparisons": comparisons,
        "leaves_one_out": all(one.told.leaves_one_out for one in comparisons),
        "pretrainings": pretrainings,
        "trainings": trainings(pretrainings, runs),
        "searches": [seen(one) for run in runs for one in run.searches],
        "search_looks": SEARCH_LOOKS,
    }


def _comparisons(runs: Sequence[RunReport], chosen: str) -> list[_Comparison]:
    groups: dict[str, list[RunReport]] = {}
    for run in runs:
        groups.setdefault(run.dataset, []).append(run)
    return [_comparison(dataset, group, chosen) for dataset, group in groups.items()]


def _comparison(dataset: str, runs: Sequence[RunReport], chosen: str) -> _Comparison:
    looks = styles([run.name for run in runs])
    return _Comparison(
        dataset=dataset,
        identities=identities(runs),
        metrics=_table(comparison_rows(runs), best_values),
        lists=_table(list_rows(runs), _no_best),
        contrast=contrast(runs, chosen),
        knockouts=[run.knockouts for run in runs if run.knockouts],
        looks=looks,
        history_length=history_length_plots(runs, looks),
        told=ordering(runs[0].metrics["protocol"]),
    )


def _table(rows: Sequence[Row], best_of: _BestOf) -> _Table:
    """A table of rows: the parts that have a name, then groups by history length in their order."""
    columns = metric_order(name for row in rows for name in row.values)
    families = groupby(columns, key=lambda name: name.partition("@")[0])
    there = {row.part for row in rows}
    known = [part for part in PARTS if part in there]
    order = dict.fromkeys([*known, *(row.part for row in rows)])
    return _Table(
        families=[(metric_label(family), len(list(found))) for family, found in families],
        columns=[name.partition("@")[2] and f"@{name.partition('@')[2]}" for name in columns],
        parts=[_part(part, rows, columns, best_of) for part in order],
    )


def _part(part: str, rows: Sequence[Row], columns: Sequence[str], best_of: _BestOf) -> _Part:
    group = [row for row in rows if row.part == part]
    best = best_of(group)
    lines = [_Line(row.run, cells(row, columns, best)) for row in group]
    return _Part(part_name(part), max(row.size for row in group), group[0].unit, lines)


def _no_best(rows: Iterable[Row]) -> dict[str, float]:  # noqa: ARG001
    """Of what lists are like, no value is the best."""
    return {}
