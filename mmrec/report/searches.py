"""What `mmrec tune` found of a run, if anything: a table, plots and sentences for the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mmrec.io import read_json
from mmrec.params.pipeline import Params
from mmrec.params.run_settings import run_settings
from mmrec.paths import Paths
from mmrec.report.plots import Plot
from mmrec.report.runs import SearchReport
from mmrec.report.search_plots import importance_plot, option_text, trials_plot
from mmrec.report.shapes import Searched
from mmrec.report.tables import metric_label
from mmrec.run_paths import searches_of

_SHOWN: Final = 25
"""Trials in a table, the best first."""
_ORDER: Final = {"complete": 0, "pruned": 1, "failed": 2}


@dataclass(frozen=True)
class Row:
    """A trial in words."""

    trial: str
    is_best: bool
    cells: Sequence[str]


@dataclass(frozen=True)
class Seen:
    """A search as the page shows it.

    Attributes:
        done: How many trials, of how many.
        changed: Sections of settings that are others now.
        left_out: Trials that the table leaves to the file.
    """

    name: str
    run: str
    done: str
    changed: Sequence[str]
    sentences: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[Row]
    left_out: int
    file: str
    plots: Sequence[Plot]


def load_searches(params: Params, paths: Paths, name: str) -> list[SearchReport]:
    """The searches of a run, by name; none where nobody made any.

    Raises:
        DataError: a file is not what it must be.
    """
    now = run_settings(params, name)
    reports = []
    for path in sorted(searches_of(paths.run(name)).glob("*.json")):
        found = read_json(path, Searched)
        then = found["settings"]
        changed = [section for section in now if then.get(section) != now[section]]
        reports.append(SearchReport(path.stem, name, found, changed))
    return reports


def seen(report: SearchReport) -> Seen:
    """A search in words and drawings."""
    found = report.found
    trials = sorted(found["trials"], key=_best_first)
    best = trials[0]["trial"] if trials and trials[0]["state"] == "complete" else None
    label = metric_label(found["objective"])
    space = {one["setting"]: one["options"] for one in found["space"]}
    paths = [*space]
    return Seen(
        name=report.name,
        run=report.run,
        done=f"{len(trials)} of {found['num_trials']} trials",
        changed=report.changed,
        sentences=[*_sentences(trials, best, label, found)],
        heads=["Trial", "State", f"{label}, validation", "Epoch", "Seconds", *paths],
        rows=[_row(one, paths, best) for one in trials[:_SHOWN]],
        left_out=max(0, len(trials) - _SHOWN),
        file=f"data/runs/{report.run}/searches/{report.name}.json",
        plots=_plots(report, trials, best, space),
    )


def _best_first(trial: Mapping[str, Any]) -> tuple[int, float, int]:
    return _ORDER[trial["state"]], -(trial["value"] or 0), trial["trial"]


def _row(trial: Mapping[str, Any], paths: Sequence[str], best: int | None) -> Row:
    known = trial["value"] is not None
    return Row(
        trial="0, as it was" if trial["trial"] == 0 else str(trial["trial"]),
        is_best=trial["trial"] == best,
        cells=[
            trial["state"],
            f"{trial['value']:.4f}" if known else "–",
            f"{trial['epoch']} of {trial['epochs']}" if known else "–",
            f"{trial['seconds']:,.1f}",
            *(
                option_text(trial["settings"][path]) if path in trial["settings"] else "–"
                for path in paths
            ),
        ],
    )


def _sentences(
    trials: Sequence[Mapping[str, Any]], best: int | None, label: str, found: Mapping[str, Any]
) -> Iterator[str]:
    complete = {one["trial"]: one["value"] for one in trials if one["state"] == "complete"}
    counts = Counter(one["state"] for one in trials)
    states = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    yield f"Sampler {found['sampler']}, pruner {found['pruner']}: {states or 'no trial yet'}."
    if best is None:
        yield "No trial is complete."
    elif best == 0:
        yield f"No trial is better than the settings that the run had ({label} {complete[0]:.4f})."
    else:
        than = f", {complete[best] - complete[0]:.4f} more than trial 0" if 0 in complete else ""
        yield (
            f"Trial {best} is the best, {label} {complete[best]:.4f}{than}. The best of "
            f"{len(complete)} was chosen by this very figure, so that it is too high: expect less "
            "on the test."
        )
    for one in trials:
        if one["reason"]:
            yield f"Trial {one['trial']} failed: {one['reason']}"


def _plots(
    report: SearchReport,
    trials: Sequence[Mapping[str, Any]],
    best: int | None,
    space: Mapping[str, Any],
) -> list[Plot]:
    drawn = [one for one in trials if one["value"] is not None]
    if not drawn:
        return []
    label = metric_label(report.found["objective"])
    plots = [trials_plot(f"{report.name}: trials", drawn, best, space, label)]
    if importance := report.found["importance"]:
        plots.append(importance_plot(f"{report.name}: what {label} varies by", importance))
    return plots
