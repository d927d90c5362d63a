"""What lies on disk of every run of `params.yaml`, as the tables and the page want it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mmrec import schemas
from mmrec.io import DataError, read_json, read_table
from mmrec.params.pipeline import Params
from mmrec.params.protocol import contradictions
from mmrec.params.ranked import ranked_entries
from mmrec.params.training import LoopParams
from mmrec.params.users import datasets_without_users
from mmrec.paths import Paths
from mmrec.report.categories import categories_of
from mmrec.report.identities import ensemble_in_words
from mmrec.report.knockouts import load_knockouts
from mmrec.report.list_categories import with_categories
from mmrec.report.page import Protocol
from mmrec.report.runs import History, PretrainingReport, RunReport, load_history
from mmrec.report.searches import load_searches
from mmrec.report.shapes import Metrics, OfEnsemble
from mmrec.run_paths import cold_ranks_of, lists_of

logger = logging.getLogger(__name__)


def collect_pretrainings(params: Params, paths: Paths) -> dict[str, PretrainingReport]:
    """Histories and settings of all pre-trainings by name, in the order of `params.yaml`.

    Raises:
        DataError: the history of one is not whole.
    """
    return {name: pretraining_report(name, params, paths) for name in params.pretrainings}


def pretraining_report(name: str, params: Params, paths: Paths) -> PretrainingReport:
    """History and settings of one of them; a history that is not whole is a DataError."""
    entry = params.pretrainings[name]
    model = params.models[entry.model]
    return PretrainingReport(
        name=name,
        dataset=entry.dataset,
        model=entry.model,
        text=entry.text,
        image=entry.image,
        seed=entry.seed,
        history=_history(paths.pretraining(name).history, model.pretrain, f"pretrain@{name}"),
        metric=model.pretrain.metric if model.pretrain else "",
        has_users=entry.dataset not in datasets_without_users(params),
        params={
            "pretraining": entry.model_dump(mode="json"),
            "model": model.described("pretrain"),
        },
    )


def collect_runs(
    params: Params, paths: Paths, pretrainings: Mapping[str, PretrainingReport]
) -> list[RunReport]:
    """Metrics, histories, ranks and settings of all runs and ensembles, in the file's order.

    Raises:
        DataError: runs have not been evaluated, or what was written of one is not whole.
    """
    _require_evaluated(params, paths)
    categories = cache(lambda: _categories(params, paths))
    runs = [
        _run_report(name, params, paths, _measured(params, paths, name, categories), pretrainings)
        for name in params.runs
    ]
    ensembles = [
        _ensemble_report(name, params, paths, _measured(params, paths, name, categories))
        for name in params.ensembles
    ]
    return [*runs, *ensembles]


class _Measured(NamedTuple):
    metrics: dict[str, Any]
    ranks: pa.Table
    cold_ranks: pa.Table | None


def _measured(
    params: Params, paths: Paths, name: str, categories: Callable[[], list[str | None]]
) -> _Measured:
    """What evaluation gave of a run or an ensemble."""
    results, entry = paths.run(name), ranked_entries(params)[name]
    metrics = read_json(results.all_metrics, Metrics)
    ranks = read_table(results.ranks, schemas.RANKS)
    if metrics.get("lists") and entry.dataset == params.report.dataset and categories():
        lists = read_table(lists_of(results), schemas.LISTS)
        metrics["lists"] = with_categories(metrics["lists"], lists, ranks, categories())
    asked = params.evaluate.cold_positions
    cold_ranks = read_table(cold_ranks_of(results), schemas.RANKS) if asked else None
    return _Measured(metrics, ranks, cold_ranks)


def _run_report(
    name: str,
    params: Params,
    paths: Paths,
    measured: _Measured,
    pretrainings: Mapping[str, PretrainingReport],
) -> RunReport:
    run = params.runs[name]
    model, history = params.models[run.model], paths.run(name).finetune_history
    return RunReport(
        name=name,
        dataset=run.dataset,
        model=run.model,
        metrics=measured.metrics,
        text=run.text,
        image=run.image,
        pretraining=pretrainings.get(run.init_from),
        seed=run.seed,
        finetuning=_history(history, model.finetune, f"finetune@{name}"),
        finetune_metric=model.finetune.metric if model.finetune else "",
        ranks=measured.ranks,
        cold_ranks=measured.cold_ranks,
        knockouts=load_knockouts(params, paths, name),
        searches=load_searches(params, paths, name),
        params={"run": run.model_dump(mode="json"), "model": model.described("finetune")},
    )


def _ensemble_report(name: str, params: Params, paths: Paths, measured: _Measured) -> RunReport:
    ensemble = params.ensembles[name]
    found = read_json(paths.run(name).all_metrics, OfEnsemble)["ensemble"]
    return RunReport(
        name=name,
        dataset=ensemble.dataset,
        model=ensemble_in_words(found),
        metrics=measured.metrics,
        seed=None,
        ranks=measured.ranks,
        cold_ranks=measured.cold_ranks,
        params={"ensemble": ensemble.model_dump(mode="json"), "found": found},
    )


def collect_protocol(params: Params) -> Protocol:
    """The settings that say what the metrics mean, cold thresholds of all datasets with a run."""
    names = {entry.dataset for entry in ranked_entries(params).values()}
    contradicting = list(contradictions(params))
    for sentence in contradicting:
        logger.warning("params.yaml: %s", sentence)
    return Protocol(
        mask_history=params.evaluate.mask_history,
        cold_thresholds={name: params.datasets[name].clean.cold_threshold for name in names},
        contradictions=contradicting,
        cold_positions=params.evaluate.cold_positions,
    )


def _categories(params: Params, paths: Paths) -> list[str | None]:
    """Of the items of the dataset that is shown; empty where the report names none."""
    settings = params.report
    if not settings.categories:
        return []
    dataset = paths.dataset(settings.dataset)
    items = read_table(dataset.items, schemas.CLEAN_ITEMS)
    sentences = read_table(dataset.sentences, schemas.SENTENCES)
    return categories_of(items["item_id"].to_pylist(), sentences, settings.categories)


def _require_evaluated(params: Params, paths: Paths) -> None:
    names = ranked_entries(params)
    missing = [name for name in names if not paths.run(name).all_metrics.is_file()]
    if missing:
        raise DataError(
            f"not evaluated: {', '.join(missing)} ({len(missing)} of {len(names)} runs; "
            f"no {paths.run(missing[0]).all_metrics}); run `dvc repro`, or take them out of `runs`"
            f"{' and `ensembles`' if params.ensembles else ''}"
        )


def _history(path: Path, settings: LoopParams | None, stage: str) -> History:
    """The history of a training; what is not trained has none."""
    if settings is None:
        return {}
    history = load_history(path)
    wanted = ("epoch", "loss", settings.metric)
    if not all(history.get(name) for name in wanted):
        raise DataError(
            f"{path}: no epoch with {', '.join(wanted)} in it, though this model is trained; run "
            f"`dvc repro {stage}`"
        )
    return history
