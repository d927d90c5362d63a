"""A dataset and the settings of a model in; the trained run out, with nothing of DVC between."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
from ruamel.yaml import YAML

from mmrec.ids import require_name
from mmrec.library.catalogue import Catalogue, category_words
from mmrec.library.dataset import PROJECT, dataset_of
from mmrec.library.exporting import Told, require_exportable, write_run
from mmrec.library.ranker import Ranker, SingleRanker
from mmrec.library.run import Run
from mmrec.models.data import ModelData, TrainingRun, load_model_data
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.params.yaml_file import read_yaml
from mmrec.paths import Paths
from mmrec.training import fit as training
from mmrec.training.finished import load_finetuned, load_weights, save_model, save_note

NAME: Final = "fitted"
_SLOTS: Final = ("text", "image", "init_from")


class FittedRun(Run):
    """A run that was trained here.

    Attributes:
        record: what `model.json` of a run has: settings, the epoch that was kept, its metric in
            validation.
        history: a row per epoch, as the `history.csv` of a run.
    """

    def __init__(
        self,
        name: str,
        catalogue: Catalogue,
        ranker: Ranker,
        record: Mapping[str, object],
        history: pl.DataFrame,
    ) -> None:
        super().__init__(name, catalogue, ranker)
        self.record, self.history = record, history


def fit(
    dataset: str,
    model: str | Mapping[str, Any],
    *,
    text: str = "none",
    image: str = "none",
    init_from: str = "none",
    seed: int = 2020,
    name: str = NAME,
    folder: Path | str | None = None,
    project: Path | str = PROJECT,
) -> FittedRun:
    """Train a model as the stage `finetune` does: with the same settings it is the same run.

    Nothing of the project is changed, and nothing is kept but for `folder`: a training that is
    interrupted begins anew. Test interactions are not looked at.

    Args:
        dataset: an entry of `datasets`; cleaned, its features embedded.
        model: an entry of `models`, or what such an entry has.
        text: the feature that it reads.
        image: likewise.
        init_from: an entry of `pretrainings` that is trained.
        seed: of all randomness.
        name: of the run; not one of the project's.
        folder: a new one, for the run as `export_run` writes it.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` or the model's settings are wrong, or do not go together.
        ValueError: a name is not there, or is taken; the folder is; training diverges.
        DataError: dataset, features or pre-training are not there, or there is nothing to train on.
    """
    paths = Paths(Path(project))
    require_name("dataset", dataset, load_params(paths.params).datasets)
    slots = dict(zip(_SLOTS, (text, image, init_from), strict=True))
    params = params_with_run(paths, name, model, {"dataset": dataset, **slots, "seed": seed})
    found = dataset_of(dataset, paths)
    if folder is not None:
        require_exportable(name, params, Path(folder))
    data = load_model_data(found.paths, text=text, image=image)
    with TemporaryDirectory() as place:
        result = Path(place) / "model"
        history = Path(place) / "history.csv"
        record = _train(name, params, paths, data, result, history)
        run = FittedRun(
            name,
            Catalogue(found.items, found, category_words(dataset, params)),
            SingleRanker(load_finetuned(data, result), params.models[params.runs[name].model].name),
            record,
            pl.read_csv(history) if history.exists() else pl.DataFrame(),
        )
        if folder is not None:
            write_run(run, result, params, paths, Path(folder), Told(history, {}))
    return run


def params_with_run(
    paths: Paths, name: str, model: str | Mapping[str, Any], run: Mapping[str, object]
) -> Params:
    """The project's settings and this run, checked together as those of `params.yaml` are.

    Args:
        paths: of the project.
        name: of the run, and of the model where it is none of the project's.
        model: an entry of `models`, or what such an entry has.
        run: what an entry of `runs` has, but for the model.

    Raises:
        ValueError: the name is taken.
        ParamsError: something is wrong, or does not go together.
    """
    sections: Any = read_yaml(paths.params)
    for section in ("models", "runs", "ensembles"):
        if name in sections[section]:
            raise ValueError(f"name: {name!r} is in `{section}` of the project; give another")
    is_named = isinstance(model, str)
    if not is_named:
        sections["models"][name] = model
    sections["runs"][name] = {**run, "model": model if is_named else name}
    with TemporaryDirectory() as place:
        path = Path(place) / paths.params.name
        with path.open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(sections, file)
        return load_params(path)


def _train(
    name: str, params: Params, paths: Paths, data: ModelData, result: Path, history: Path
) -> Mapping[str, object]:
    """Write weights and history; returns the record."""
    settings = params.runs[name]
    model, start = params.models[settings.model], settings.init_from
    if model.finetune is None:
        note: Mapping[str, object] = {"model": model.described("finetune"), "trained": False}
        save_note(note, result)
        return note
    recommender, record = training.fit(
        model,
        data,
        TrainingRun("finetune", settings.seed, params.validation.mask_history),
        weights=None if start == "none" else load_weights(paths.pretraining(start).pretrained),
        checkpoint_dir=result.with_name("checkpoints"),
        history_path=history,
    )
    save_model(recommender, record, data.items, result)
    return record
