"""What `benchmarks.sasrec_grid` found, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import mean, stdev
from typing import Any

METRIC = "ndcg@10"
SHOWN = ("ndcg@10", "recall@10", "recall@20")
SETTINGS = ("embedding_dim", "num_layers", "dropout", "loss", "temperature", "learning_rate")

Found = Mapping[str, Any]


def best_points(found: Found) -> dict[str, Found]:
    """The best of each dataset by validation, of those that are done."""
    done: dict[str, list[Found]] = {}
    for one in found["grid"]:
        if "validation" in one:
            done.setdefault(one["dataset"], []).append(one)
    return {name: max(points, key=_value) for name, points in done.items()}


def lines(found: Found) -> list[str]:
    """The test of what was chosen, then all points."""
    return ["# SASRec, tuned by validation", "", *_head(found), *_tests(found), *_grids(found)]


def _head(found: Found) -> Iterator[str]:
    budget, left_out = found["budget"], found["num_points"] - len(found["grid"])
    seen = "is left out" if budget["mask_history"] else "competes"
    yield (
        f"{len(found['grid'])} points, each trained once (seed {found['seed']}) for at most "
        f"{budget['epochs']} epochs, until {budget['patience']} in a row are no better; "
        f"{budget['batch_size']:,} targets a batch, Adam, histories of 50, two heads, a "
        "feed-forward net four times as wide. Chosen by NDCG@10 on validation targets, among all "
        f"items; what a user has seen {seen}. No point has ranked a test item. "
        + (f"{left_out} points were not reached in time. " if left_out > 0 else "")
        + f"{found['device']}, {found['machine']}, torch {found['torch']}, {found['jobs']} "
        "trainings at a time: seconds are of trainings that share it."
    )
    yield ""


def _tests(found: Found) -> Iterator[str]:
    rows = [line for name in found["data"] for line in _tests_of(found, name)]
    if not rows:
        return
    yield from (
        "## Test",
        "",
        "Means and standard deviations over other seeds than the grid's: points that were chosen "
        "for each dataset, and the defaults. With what users have seen among the candidates, and "
        "without it. Events of one day stand in the files in the order of their item numbers.",
        "",
        f"| dataset | settings | seeds | seen items | {' | '.join(SHOWN)} |",
        "|---" * (4 + len(SHOWN)) + "|",
        *rows,
        "",
    )


def _tests_of(found: Found, dataset: str) -> Iterator[str]:
    groups: dict[str, list[Found]] = {}
    for one in found["test"]:
        if one["dataset"] == dataset:
            groups.setdefault(_settings(one), []).append(one)
    for settings, runs in groups.items():
        seeds = ", ".join(str(one["seed"]) for one in sorted(runs, key=lambda one: one["seed"]))
        for seen in runs[0]["test"]:
            values = [spread(one["test"][seen][metric] for one in runs) for metric in SHOWN]
            yield f"| {' | '.join([dataset, settings, seeds, seen, *values])} |"


def _grids(found: Found) -> Iterator[str]:
    for dataset, size in found["data"].items():
        counts = ", ".join(f"{count:,} {what}" for what, count in size.items())
        points = [one for one in found["grid"] if one["dataset"] == dataset]
        yield from (
            f"## {dataset}",
            "",
            f"{counts}; validation, best epoch.",
            "",
            f"| width | layers | dropout | loss | cosines over | rate | {' | '.join(SHOWN)} "
            "| best epoch | epochs | seconds |",
            "|---" * (9 + len(SHOWN)) + "|",
            *map(_line, sorted(points, key=_value, reverse=True)),
            "",
        )


def _line(one: Found) -> str:
    settings = [str("–" if one[name] is None else one[name]) for name in SETTINGS]
    if "failed" in one:
        return f"| {' | '.join([*settings, *['–'] * len(SHOWN), one['failed'], '', ''])} |"
    values = [f"{one['validation'][metric]:.4f}" for metric in SHOWN]
    cost = [str(one["best_epoch"]), str(one["epochs"]), f"{one['seconds']:.0f}"]
    return f"| {' | '.join([*settings, *values, *cost])} |"


def _settings(one: Found) -> str:
    return (
        f"{one['embedding_dim']} wide, {one['num_layers']} layers, dropout {one['dropout']}, "
        f"{one['loss']}"
        + (f", cosines over {one['temperature']}" if one["temperature"] else "")
        + f", rate {one['learning_rate']}"
    )


def _value(one: Found) -> float:
    return float(one["validation"][METRIC]) if "validation" in one else -1.0


def spread(values: Iterable[float]) -> str:
    """Mean, and standard deviation of more than one, as text."""
    each = [*values]
    return f"{mean(each):.4f}" + (f" ± {stdev(each):.4f}" if len(each) > 1 else "")
