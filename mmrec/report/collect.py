"""What lies on disk of every run of `params.yaml`, as the tables and the page want it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.evaluation.vectors import Vectors, vectors_of
from mmrec.io import DataError, read_json, read_table, read_vectors
from mmrec.params.pipeline import Params
from mmrec.params.protocol import contradictions
from mmrec.params.ranked import ranked_entries, stage_of
from mmrec.params.training import LoopParams
from mmrec.params.users import datasets_without_users
from mmrec.paths import Paths
from mmrec.report.categories import categories_of
from mmrec.report.gallery import gallery
from mmrec.report.identities import ensemble_in_words
from mmrec.report.knockouts import load_knockouts
from mmrec.report.list_categories import with_categories
from mmrec.report.maps import MapData, Maps, draw_maps
from mmrec.report.page import Protocol, Showcase
from mmrec.report.runs import History, PretrainingReport, RunReport, load_history
from mmrec.report.searches import load_searches
from mmrec.report.shapes import ListsSummary, Metrics, OfEnsemble
from mmrec.report.showcase import sample_users
from mmrec.report.thumbnails import Thumbnails
from mmrec.run_paths import cold_ranks_of, lists_of

logger = logging.getLogger(__name__)


def collect_pretrainings(params: Params, paths: Paths) -> dict[str, PretrainingReport]:
    """Histories and settings of all pre-trainings by name, in the order of `params.yaml`.

    Raises:
        DataError: the history of one is not whole.
    """
    without_users = datasets_without_users(params)
    reports = {}
    for name, entry in params.pretrainings.items():
        model = params.models[entry.model]
        reports[name] = PretrainingReport(
            name=name,
            dataset=entry.dataset,
            model=entry.model,
            text=entry.text,
            image=entry.image,
            seed=entry.seed,
            history=_history(paths.pretraining(name).history, model.pretrain, f"pretrain@{name}"),
            metric=model.pretrain.metric if model.pretrain else "",
            has_users=entry.dataset not in without_users,
            params={
                "pretraining": entry.model_dump(mode="json"),
                "model": model.described("pretrain"),
            },
        )
    return reports


def collect_runs(
    params: Params, paths: Paths, pretrainings: Mapping[str, PretrainingReport]
) -> list[RunReport]:
    """Metrics, histories, ranks and settings of all runs and ensembles, in the file's order.

    Raises:
        DataError: runs have not been evaluated, or what was written of one is not whole.
    """
    _require_evaluated(params, paths)
    categories = cache(lambda: _categories(params, paths))
    reports = []
    for name, run in params.runs.items():
        history, model = paths.run(name).finetune_history, params.models[run.model]
        measured = _measured(params, paths, name, categories)
        reports.append(
            RunReport(
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
        )
    for name, ensemble in params.ensembles.items():
        measured = _measured(params, paths, name, categories)
        found = read_json(paths.run(name).all_metrics, OfEnsemble)["ensemble"]
        reports.append(
            RunReport(
                name=name,
                dataset=ensemble.dataset,
                model=ensemble_in_words(found),
                metrics=measured.metrics,
                seed=None,
                ranks=measured.ranks,
                cold_ranks=measured.cold_ranks,
                params={"ensemble": ensemble.model_dump(mode="json"), "found": found},
            )
        )
    return reports


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


def collect_showcase(params: Params, paths: Paths) -> Showcase:
    """Pictures with their keywords, and users with their history and their top-K."""
    settings = params.report
    dataset = paths.dataset(settings.dataset)
    items = read_table(dataset.items, schemas.CLEAN_ITEMS)
    keywords = read_table(dataset.keywords, schemas.KEYWORDS)
    thumbnails = Thumbnails(RawImages(dataset.raw_images))
    return Showcase(
        dataset=settings.dataset,
        run=params.recommend.run,
        keep_seen=params.recommend.keep_seen,
        lists=read_json(paths.recommendations / "summary.json", ListsSummary),
        gallery=gallery(keywords, items, thumbnails, num_entries=settings.num_gallery_items),
        users=sample_users(
            items=items,
            users=read_table(dataset.users, schemas.CLEAN_USERS),
            sequences=read_table(dataset.sequences, schemas.CLEAN_SEQUENCES),
            ranks=read_table(paths.run(params.recommend.run).ranks, schemas.RANKS),
            recommendations=read_table(paths.recommended_lists, schemas.RECOMMENDATIONS),
            images=read_table(dataset.images, schemas.IMAGES),
            keywords=keywords,
            thumbnails=thumbnails,
            num_users=settings.num_sample_users,
            mask_history=params.evaluate.mask_history,
        ),
    )


def collect_maps(params: Params, paths: Paths) -> Maps | None:
    """Maps of the runs that `report.maps` names; None where it names none.

    Raises:
        DataError: the vectors of one are not whole.
    """
    settings = params.report
    if not settings.maps:
        return None
    dataset = paths.dataset(settings.dataset)
    data = MapData(
        dataset=settings.dataset,
        items=read_table(dataset.items, schemas.CLEAN_ITEMS),
        users=read_table(dataset.users, schemas.CLEAN_USERS),
        sequences=read_table(dataset.sequences, schemas.CLEAN_SEQUENCES),
        sentences=read_table(dataset.sentences, schemas.SENTENCES),
        categories=settings.categories,
        cold_threshold=params.datasets[settings.dataset].clean.cold_threshold,
    )
    return draw_maps(data, _item_vectors(params, paths, data.items.num_rows))


def _categories(params: Params, paths: Paths) -> list[str | None]:
    """Of the items of the dataset that is shown; empty where the report names none."""
    settings = params.report
    if not settings.categories:
        return []
    dataset = paths.dataset(settings.dataset)
    items = read_table(dataset.items, schemas.CLEAN_ITEMS)
    sentences = read_table(dataset.sentences, schemas.SENTENCES)
    return categories_of(items["item_id"].to_pylist(), sentences, settings.categories)


def _item_vectors(params: Params, paths: Paths, num_items: int) -> Iterator[tuple[str, Vectors]]:
    for name in params.report.maps:
        path = paths.run(name).item_vectors
        table = read_vectors(path, schemas.item_vectors)
        if table.num_rows != num_items:
            raise DataError(
                f"{path}: {table.num_rows} vectors, expected {num_items}, one for each item; run "
                f"`dvc repro {stage_of(params, name)}`"
            )
        yield name, vectors_of(table, str(path))


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
