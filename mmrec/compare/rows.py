"""What is to be compared: names of runs in, their ranks out, over the same users and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from mmrec import schemas
from mmrec.data.protocol import FIGURES
from mmrec.evaluation.comparison import require_same_samples, sorted_samples
from mmrec.evaluation.metrics import COLD_POSITION_PARTS
from mmrec.ids import require_name
from mmrec.io import DataError, read_json, read_table
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries, stage_of
from mmrec.paths import Paths
from mmrec.run_paths import RunPaths, cold_ranks_of

Rows = Mapping[str, Sequence[str]]
"""Runs of each row, one of each seed."""


@dataclass(frozen=True)
class _Evaluation:
    """What has to be in all_metrics.json of a run."""

    protocol: Mapping[str, Any]


def parse_rows(words: Sequence[str]) -> dict[str, list[str]]:
    """Rows as written on a command line: `run`, or `name=run,run` for several seeds of one thing.

    >>> parse_rows(["sasrec", "ours=first,second"])
    {'sasrec': ['sasrec'], 'ours': ['first', 'second']}

    Raises:
        DataError: a row has no name or no run, or two have one name.
    """
    rows: dict[str, list[str]] = {}
    for word in words:
        name, equals, listed = word.partition("=")
        runs = listed.split(",") if equals else [name]
        if not name or not all(runs):
            raise DataError(f"'{word}': expected a run, or name=run,run")
        if name in rows:
            raise DataError(f"'{name}' is named twice; give each row a name of its own, name=run")
        if len({*runs}) < len(runs):
            raise DataError(f"'{word}': a run is named twice; each counts once")
        rows[name] = runs
    return rows


def require_known(rows: Rows, params: Params) -> None:
    """Refuse runs that there are not, rows of unlike runs, and rows of several datasets.

    Raises:
        ValueError: there is no such run.
        DataError: rows are of unlike runs, or of several datasets; says which.
    """
    runs = [run for row in rows.values() for run in row]
    entries = ranked_entries(params)
    for run in runs:
        require_name("run", run, entries)
    for name, row in rows.items():
        _require_seeds_of_one(name, row, params)
    datasets = {run: entries[run].dataset for run in runs}
    if len({*datasets.values()}) > 1:
        told = ", ".join(f"'{run}' is of '{dataset}'" for run, dataset in datasets.items())
        raise DataError(f"runs of several datasets have other users: {told}; compare those of one")


def ranks_of_rows(rows: Rows, part: str, params: Params, paths: Paths) -> dict[str, list[pa.Table]]:
    """`RANKS` of each run of each row, of held-out items or of cold positions, in one order.

    Raises:
        DataError: a run is not evaluated, or by another protocol or on other data than the first.
    """
    of_positions = part in COLD_POSITION_PARTS
    first: _Found | None = None
    tables: dict[str, list[pa.Table]] = {}
    for row, runs in rows.items():
        tables[row] = []
        for run in runs:
            evaluation = _Evaluated(run, stage_of(params, run), paths.run(run), of_positions)
            found = evaluation, evaluation.protocol(), sorted_samples(evaluation.ranks())
            first = first or found
            _require_alike(first, found)
            tables[row].append(found[-1])
    return tables


def _require_seeds_of_one(name: str, runs: Sequence[str], params: Params) -> None:
    """Refuse a row of runs that differ in more than their seeds."""
    described = {run: _but_for_seed(run, params) for run in runs}
    for run, own in described.items():
        for setting, value in own.items():
            if value != (other := described[runs[0]][setting]):
                raise DataError(
                    f"'{name}': '{run}' has {setting} {value}, '{runs[0]}' has {other}; a row is "
                    "one thing from several seeds: make them two rows"
                )
    seeds = [_seeds(run, params) for run in runs]
    if len({*seeds}) < len(seeds):
        raise DataError(f"'{name}': found the seeds {_told(seeds)}, expected each once")


def _but_for_seed(run: str, params: Params) -> dict[str, object]:
    if (ensemble := params.ensembles.get(run)) is not None:
        found = ensemble.model_dump(include={"dataset", "metric", "weights"})
        parts = [_but_for_seed(part.run, params) for part in ensemble.parts]
        return {**found, **{f"part {place}": part for place, part in enumerate(parts, 1)}}
    settings = params.runs[run]
    start = params.pretrainings.get(settings.init_from)
    return {
        **settings.model_dump(exclude={"seed", "init_from"}),
        "pre-training": start.model_dump(exclude={"seed"}) if start else "none",
    }


def _seeds(run: str, params: Params) -> tuple[int, ...]:
    """Of a run, or of an ensemble's parts."""
    ensemble = params.ensembles.get(run)
    parts = [part.run for part in ensemble.parts] if ensemble else [run]
    return tuple(params.runs[part].seed for part in parts)


def _told(seeds: Sequence[tuple[int, ...]]) -> list[object]:
    return [own[0] if len(own) == 1 else own for own in seeds]


@dataclass(frozen=True)
class _Evaluated:
    """A run or ensemble, the stage that evaluates it, and where its results are."""

    name: str
    stage: str
    results: RunPaths
    of_positions: bool

    def protocol(self) -> dict[str, Any]:
        metrics = self.results.all_metrics
        if not metrics.is_file():
            raise DataError(
                f"'{self.name}' is not evaluated (no {metrics}); run `dvc repro {self.stage}`"
            )
        ignored = FIGURES if self.of_positions else (*FIGURES, "cold_positions")
        found = read_json(metrics, _Evaluation)["protocol"]
        return {name: value for name, value in found.items() if name not in ignored}

    def ranks(self) -> pa.Table:
        if not self.of_positions:
            return read_table(self.results.ranks, schemas.RANKS)
        if not cold_ranks_of(self.results).is_file():
            raise DataError(
                f"'{self.name}' has no ranks of cold positions; set evaluate.cold_positions to "
                f"heldout and run `dvc repro {self.stage}`"
            )
        return read_table(cold_ranks_of(self.results), schemas.RANKS)


_Found: TypeAlias = tuple[_Evaluated, Mapping[str, Any], pa.Table]


def _require_alike(first: _Found, other: _Found) -> None:
    runs = f"'{first[0].name}' and '{other[0].name}'"
    remedy = f"run `dvc repro {first[0].stage} {other[0].stage}`"
    names = sorted({*first[1], *other[1]})
    if unlike := [name for name in names if first[1].get(name) != other[1].get(name)]:
        found = "; ".join(
            f"{name}: {first[1].get(name)} and {other[1].get(name)}" for name in unlike
        )
        raise DataError(f"{runs} were evaluated by other protocols ({found}); {remedy}")
    try:
        require_same_samples(first[2], other[2])
    except DataError as error:
        raise DataError(
            f"{runs} were ranked on other users or held-out items ({error}); {remedy}"
        ) from None
