"""A finished run of a project in; a folder that needs neither the project nor its data out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mmrec.io import read_json
from mmrec.library.dataset import PROJECT
from mmrec.library.exported import Exported, require_new, write_exported
from mmrec.library.ids import require_name
from mmrec.library.opening import open_run_of
from mmrec.library.run import Run
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.paths import Paths

_COUNTED: Final = ("itemknn", "transitions")
"""Models that have no weights: they are counted from interactions whenever they are built."""


def export_run(name: str, folder: Path | str, project: Path | str = PROJECT) -> None:
    """Write a finished run as a folder of its own, which `open_run(folder)` opens anywhere.

    Args:
        name: an entry of `runs`.
        folder: a new one.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such run, it cannot be exported, or the folder is there already.
        DataError: the run is not trained, or a file is damaged.
    """
    paths = Paths(Path(project))
    params = load_params(paths.params)
    require_exportable(name, params, Path(folder))
    write_run(open_run_of(name, params, paths), paths.run(name).finetuned, params, paths, folder)


def require_exportable(name: str, params: Params, folder: Path) -> None:
    """Refuse, before anything is computed, what is not written as a folder of its own.

    Raises:
        ValueError: it is no single run, its model has no weights, or the folder is there already.
    """
    if name in params.ensembles:
        raise ValueError(f"'{name}' is an ensemble; export its parts, which are runs")
    require_name("run", name, params.runs)
    model = params.models[params.runs[name].model].name
    if model in _COUNTED:
        raise ValueError(
            f"run '{name}': its model ({model}) is counted anew from the sequences of users, "
            "which are not exported; use it in the project"
        )
    require_new(folder)


def write_run(run: Run, finetuned: Path, params: Params, paths: Paths, folder: Path | str) -> None:
    """Write a run as a folder of its own.

    Args:
        run: by its name in `params`.
        finetuned: the folder of its weights.
        params: with the run.
        paths: of the project.
        folder: a new one.
    """
    settings = params.runs[run.name]
    exported = Exported(
        run=run,
        kind=params.models[settings.model].name,
        finetuned=finetuned,
        dataset=paths.dataset(settings.dataset),
        features={"text": settings.text, "image": settings.image},
        card=_card(run, params, paths),
    )
    write_exported(exported, Path(folder))


def _card(run: Run, params: Params, paths: Paths) -> str:
    settings = params.runs[run.name]
    model = params.models[settings.model]
    metrics = paths.run(run.name).metrics
    return "\n".join(
        [
            f"# {run.name}",
            "",
            f"A sequential recommender ({model.name}) for {run.items.height:,} items of the dataset"
            f" `{settings.dataset}`, trained with mmrec.",
            "",
            f"- text feature: `{settings.text}`; image feature: `{settings.image}`; seed: "
            f"{settings.seed}",
            f"- interactions in training: {run.items['training_count'].sum():,}; cold items: "
            f"{run.items['is_cold'].sum():,}",
            f"- item vectors: {'`item_vectors.parquet`' if run.has_vectors else 'none'}",
            "- users and their interactions: not in this folder",
            "",
            *(_measured(read_json(metrics)) if metrics.is_file() else []),
            "```python",
            "from mmrec import open_run",
            "",
            "run = open_run(<this folder>)",
            f"run.recommend([[{run.items['item_id'][0]!r}]], k=10)",
            "```",
            "",
        ]
    )


def _measured(metrics: dict[str, Any]) -> list[str]:
    """Test metrics of all, warm and cold targets, as a table."""
    names = sorted({name for of in metrics.values() for name in of})
    heading = ["| targets |", *(f" {name} |" for name in names)]
    lines = ["".join(heading), "|---" * (len(names) + 1) + "|"]
    for part, found in metrics.items():
        cells = (f"{found[name]:.4g}" if name in found else "" for name in names)
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return [*lines, ""]
