"""A finished run of a project in; a folder that needs neither the project nor its data out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmrec.ids import require_name
from mmrec.io import read_json
from mmrec.library.dataset import PROJECT
from mmrec.library.exported import Exported, require_new, write_exported
from mmrec.library.opening import open_run_of
from mmrec.library.run import Run
from mmrec.onnx.write import require_packages
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.report.card_facts import COUNTED, card_facts
from mmrec.report.collect import pretraining_report
from mmrec.report.model_card import CatalogueCounts, model_card
from mmrec.report.runs import RunReport, load_history
from mmrec.report.shapes import Metrics


class Told(NamedTuple):
    """What a card tells of a run's training and evaluation.

    Attributes:
        history: a CSV of its epochs; missing where nothing was trained.
        metrics: all that it was evaluated by; empty where it was not.
    """

    history: Path
    metrics: Mapping[str, Any]


def export_run(
    name: str, folder: Path | str, project: Path | str = PROJECT, *, onnx: bool = False
) -> None:
    """Write a finished run as a folder of its own, which `open_run(folder)` opens anywhere.

    Args:
        name: an entry of `runs`.
        folder: a new one.
        project: the folder with `params.yaml`.
        onnx: write it as graphs, too, which rank without torch or mmrec (docs/onnx.md).

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such run, it cannot be exported, the folder is there already, or the
            extra `onnx` is not installed.
        DataError: the run is not trained, or a file is damaged.
    """
    paths = Paths(Path(project))
    params = load_params(paths.params)
    require_exportable(name, params, Path(folder))
    if onnx:
        _require_towers(name, params)
    run, results = open_run_of(name, params, paths), paths.run(name)
    evaluated = results.all_metrics
    metrics = read_json(evaluated, Metrics) if evaluated.is_file() else {}
    told = Told(results.finetune_history, metrics)
    write_run(run, results.finetuned, params, paths, folder, told, onnx=onnx)


def require_exportable(name: str, params: Params, folder: Path) -> None:
    """Refuse, before anything is computed, what is not written as a folder of its own.

    Raises:
        ValueError: it is no single run, its model has no weights, or the folder is there already.
    """
    if name in params.ensembles:
        raise ValueError(f"'{name}' is an ensemble; export its parts, which are runs")
    require_name("run", name, params.runs)
    model = params.models[params.runs[name].model].name
    if model in COUNTED:
        raise ValueError(
            f"run '{name}': its model ({model}) is counted anew from the sequences of users, "
            "which are not exported; use it in the project"
        )
    require_new(folder)


def _require_towers(name: str, params: Params) -> None:
    require_packages()
    model = params.models[params.runs[name].model]
    if not model.has_vectors:
        raise ValueError(
            f"run '{name}': its model ({model.name}) scores items without vectors of them, so that "
            "it has no towers to write as ONNX; export it without, or a run of another model"
        )


def write_run(
    run: Run,
    finetuned: Path,
    params: Params,
    paths: Paths,
    folder: Path | str,
    told: Told,
    *,
    onnx: bool = False,
) -> None:
    """Write a run as a folder of its own.

    Args:
        run: by its name in `params`.
        finetuned: the folder of its weights.
        params: with the run.
        paths: of the project.
        folder: a new one.
        told: for its card.
        onnx: write towers, too.
    """
    settings = params.runs[run.name]
    exported = Exported(
        run=run,
        kind=params.models[settings.model].name,
        finetuned=finetuned,
        dataset=paths.dataset(settings.dataset),
        features={"text": settings.text, "image": settings.image},
        card=_card(run, params, paths, told, onnx=onnx),
        onnx=onnx,
    )
    write_exported(exported, Path(folder))


def _card(run: Run, params: Params, paths: Paths, told: Told, *, onnx: bool) -> str:
    """The run's model card, which says how the folder is opened."""
    settings = params.runs[run.name]
    training, start = params.models[settings.model].finetune, settings.init_from
    report = RunReport(
        name=run.name,
        dataset=settings.dataset,
        model=settings.model,
        metrics=told.metrics,
        text=settings.text,
        image=settings.image,
        pretraining=None if start == "none" else pretraining_report(start, params, paths),
        seed=settings.seed,
        finetuning=load_history(told.history),
        finetune_metric=training.metric if training else "",
    )
    counts = CatalogueCounts(
        items=run.items.height,
        cold=int(run.items["is_cold"].sum()),
        interactions=int(run.items["training_count"].sum()),
    )
    loading = _loading(run, onnx=onnx)
    facts = card_facts(report, params, paths, loading=loading, counts=counts)
    return model_card(facts)


def _loading(run: Run, *, onnx: bool) -> list[str]:
    towers = "`onnx/` has its towers, to rank without torch or mmrec. " if onnx else ""
    vectors = "`item_vectors.parquet`" if run.has_vectors else "none"
    return [
        "This folder needs neither the project nor DVC; where mmrec is installed:",
        "",
        "```python",
        "from pathlib import Path",
        "from mmrec import open_run",
        "",
        'run = open_run(Path("<this folder>"))',
        f"run.recommend([[{run.items['item_id'][0]!r}]], k=10)",
        "```",
        "",
        f"{towers}Item vectors: {vectors}. Users and their interactions: not in this folder.",
    ]
