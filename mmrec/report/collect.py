"""What lies on disk of every run of `params.yaml`, as the tables and the page want it."""

from __future__ import annotations

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.io import read_json, read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.report.gallery import gallery
from mmrec.report.page import Protocol, Showcase
from mmrec.report.runs import RunReport, load_history
from mmrec.report.shapes import ListsSummary, Metrics
from mmrec.report.showcase import sample_users
from mmrec.report.thumbnails import Thumbnails


def collect_runs(params: Params, paths: Paths) -> list[RunReport]:
    """Metrics, histories, ranks and settings of all runs, in the order of `params.yaml`.

    Raises:
        DataError: a run has not been evaluated.
    """
    reports = []
    for name, run in params.runs.items():
        results, model = paths.run(name), params.models[run.model]
        reports.append(
            RunReport(
                name=name,
                dataset=run.dataset,
                model=run.model,
                metrics=read_json(results.metrics, Metrics),
                text=run.text,
                image=run.image,
                init_from=run.init_from,
                seed=run.seed,
                pretraining=load_history(results.pretrain_history),
                pretrain_metric=model.pretrain.metric if model.pretrain else "",
                finetuning=load_history(results.finetune_history),
                finetune_metric=model.finetune.metric if model.finetune else "",
                ranks=read_table(results.ranks, schemas.RANKS),
                params={
                    "run": run.model_dump(mode="json"),
                    "model": model.model_dump(mode="json"),
                },
            )
        )
    return reports


def collect_protocol(params: Params) -> Protocol:
    """The settings that say what the metrics mean, cold thresholds of all datasets with a run."""
    names = {run.dataset for run in params.runs.values()}
    return Protocol(
        mask_history=params.evaluate.mask_history,
        cold_thresholds={name: params.datasets[name].clean.cold_threshold for name in names},
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
        ),
    )
