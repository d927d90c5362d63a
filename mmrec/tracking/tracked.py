"""A finished run of a project in; settings, figures, histories and files to send out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from mmrec.ids import require_name
from mmrec.io import DataError
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths, costs_of
from mmrec.report.collect import collect_pretrainings, collect_runs
from mmrec.report.runs import History, RunReport
from mmrec.training.costs import read_cost
from mmrec.training.finished import RECORD

_NO_METRICS: Final = ("protocol", "ensemble")
"""What `all_metrics.json` has beside metrics: settings."""


@dataclass(frozen=True)
class TrackedRun:
    """What is sent of a run.

    Attributes:
        name: of the run.
        dataset: that it is on.
        settings: by path, such as `model.finetune.learning_rate`.
        metrics: of the test, by path, such as `test/all/ndcg@10`.
        histories: columns by epoch, by stage.
        costs: what its training took on this machine, where that is known; no part of the digest.
        files: by folder they go to.
        digest: of all but costs; a run that was trained anew with another result has another.
    """

    name: str
    dataset: str
    settings: Mapping[str, object]
    metrics: Mapping[str, float]
    histories: Mapping[str, History]
    costs: Mapping[str, float]
    files: Mapping[str, Sequence[Path]]
    digest: str


def evaluated_names(params: Params, paths: Paths) -> list[str]:
    """Runs and ensembles of `params.yaml` that are evaluated, in its order."""
    return [name for name in ranked_entries(params) if paths.run(name).all_metrics.is_file()]


def tracked_runs(
    names: Sequence[str], params: Params, paths: Paths, *, with_model: bool
) -> list[TrackedRun]:
    """Some runs, or ensembles, of a project as they are sent.

    Raises:
        ValueError: one is not there.
        DataError: one is not evaluated, or what was written of it is not whole.
    """
    for name in names:
        require_name("run", name, ranked_entries(params))
    chosen = _only(names, params)
    reports = collect_runs(chosen, paths, collect_pretrainings(chosen, paths))
    return [_tracked(report, paths, with_model=with_model) for report in reports]


def _only(names: Sequence[str], params: Params) -> Params:
    """The same params without other runs, which need not be evaluated."""
    runs = {name: run for name, run in params.runs.items() if name in names}
    starts = {run.init_from for run in runs.values()}
    return params.model_copy(
        update={
            "runs": runs,
            "ensembles": {name: one for name, one in params.ensembles.items() if name in names},
            "pretrainings": {
                name: one for name, one in params.pretrainings.items() if name in starts
            },
        }
    )


def _tracked(report: RunReport, paths: Paths, *, with_model: bool) -> TrackedRun:
    start, run = report.pretraining, paths.run(report.name)
    histories = {"finetune": report.finetuning, "pretrain": start.history if start else {}}
    settings = {**report.params, "protocol": report.metrics.get("protocol", {})}
    if start:
        settings["pretraining"] = start.params
    measured = {key: one for key, one in report.metrics.items() if key not in _NO_METRICS}
    metrics = {
        f"test/{path}": float(value)
        for path, value in _leaves(measured, "/")
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    record = run.finetuned / RECORD
    said = {
        **{"name": report.name, "settings": settings, "metrics": metrics, "histories": histories},
        "model": json.loads(record.read_text("utf-8")) if record.is_file() else None,
    }
    text = json.dumps(said, sort_keys=True, default=list)
    return TrackedRun(
        name=report.name,
        dataset=report.dataset,
        settings=dict(_leaves(settings, ".")),
        metrics=metrics,
        histories={stage: history for stage, history in histories.items() if history},
        costs=_costs(record, paths),
        files=_files(report, paths, with_model=with_model),
        digest=blake2b(text.encode(), digest_size=16).hexdigest(),
    )


def _leaves(values: Mapping[str, Any], mark: str, path: str = "") -> Iterator[tuple[str, object]]:
    """Values that are no mappings, by their path."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, mark, f"{path}{name}{mark}")
        else:
            yield f"{path}{name}", value


def _costs(record: Path, paths: Paths) -> dict[str, float]:
    cost = read_cost(record, costs_of(paths))
    if cost is None or not cost.whole:
        return {}
    found = {
        "seconds": cost.seconds,
        "peak_mib": cost.peak_mib,
        "gpu_mib": cost.gpu_mib,
    }
    return {
        f"cost/finetune/{name}": value
        for name, value in found.items()
        if value is not None and math.isfinite(value)
    }


def _files(report: RunReport, paths: Paths, *, with_model: bool) -> dict[str, list[Path]]:
    run, start = paths.run(report.name), report.pretraining
    texts = [run.all_metrics]
    if report.finetuning:
        texts.append(run.finetune_history)
    found = {"results": texts}
    if start:
        found["pretraining"] = [paths.pretraining(start.name).history]
    if with_model and report.seed is not None:
        found["model"] = sorted(path for path in run.finetuned.glob("*") if path.is_file())
        if not found["model"]:
            raise DataError(
                f"{run.finetuned}: found no model of run '{report.name}'; `dvc pull "
                f"finetune@{report.name}` brings it, or send the run without (--no-model)"
            )
    return found
