"""A finished run of a project in, by its name; an object that recommends out."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from mmrec import schemas
from mmrec.ids import require_name
from mmrec.io import DataError, read_table
from mmrec.library.catalogue import Catalogue, category_words
from mmrec.library.dataset import PROJECT, dataset_of, frame_of
from mmrec.library.exported import is_exported, open_exported
from mmrec.library.extending import extended_data, refuse_ids, refuse_without_content
from mmrec.library.new_items import read_new_items
from mmrec.library.ranker import EnsembleRanker, Ranker, SingleRanker, kept
from mmrec.library.run import Run
from mmrec.models.data import load_model_data
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.recommender import Recommender
from mmrec.report.categories import categories_of
from mmrec.training.ensemble import build_ensemble, load_members, read_weights
from mmrec.training.finished import RECORD, load_finetuned


def open_run(
    name: str | Path, project: Path | str = PROJECT, *, new_items: Path | str | None = None
) -> Run:
    """A finished run, or an ensemble of runs, on the device of `MMREC_DEVICE`.

    Args:
        name: an entry of `runs` or `ensembles` of the project; or a folder that `export_run`
            wrote, which needs no project.
        project: the folder with `params.yaml`.
        new_items: table of items that the run was not trained with, and may recommend all the
            same (`mmrec.library.new_items`); of a project's run that knows items by their content
            alone.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such run, or it cannot have new items.
        DataError: the run is not trained, or a file is damaged, of other data or another version.
    """
    paths, folder = Paths(Path(project)), Path(name)
    is_path = isinstance(name, Path) or len(folder.parts) > 1
    if is_path or (is_exported(folder) and not _has_run(str(name), paths)):
        if new_items is not None:
            raise ValueError(
                f"{folder}: new items are encoded by the extractors of the project, which a run "
                "apart from it does not have; open it there by its name"
            )
        return open_exported(folder)
    params = load_params(paths.params)
    if new_items is not None:
        return _with_new_items(str(name), params, paths, Path(new_items))
    return open_run_of(str(name), params, paths)


def _has_run(name: str, paths: Paths) -> bool:
    return paths.params.is_file() and name in ranked_entries(load_params(paths.params))


def open_run_of(name: str, params: Params, paths: Paths) -> Run:
    """The same of a project whose settings are at hand.

    Raises:
        ValueError: there is no such run.
        DataError: the run is not trained, or a file is damaged or of other data.
    """
    entries = ranked_entries(params)
    require_name("run", name, entries)
    dataset = dataset_of(entries[name].dataset, paths)
    words = category_words(dataset.name, params)
    return Run(name, Catalogue(dataset.items, dataset, words), _ranker(name, params, paths))


def _with_new_items(name: str, params: Params, paths: Paths, table: Path) -> Run:
    """The run with new items behind its catalogue, for which nothing is trained."""
    require_name("run", name, ranked_entries(params))
    refuse_without_content(name, params)
    settings, dataset = params.runs[name], dataset_of(params.runs[name].dataset, paths)
    kind = params.models[settings.model].name
    refuse_ids(name, kind, _recommender(name, params, paths))
    clean = params.datasets[dataset.name].clean
    new = read_new_items(
        table,
        dict.fromkeys(dataset.items["item_id"], 0),
        text_fields=clean.text_fields,
        max_sentences=clean.max_sentences,
        max_images=clean.max_images,
    )
    # Paths in the settings of extractors are of the project's folder.
    with TemporaryDirectory() as folder, chdir(paths.root):
        here = Paths(Path())
        data = extended_data(settings, new, params, here, Path(folder))
        recommender = load_finetuned(data, here.run(name).finetuned)
    items = frame_of(data.items)
    words = category_words(dataset.name, params)
    sentences = pa.concat_tables(
        [read_table(dataset.paths.sentences, schemas.SENTENCES), new.sentences]
    )
    ids = items["item_id"].to_list()
    found = dict(zip(ids, categories_of(ids, sentences, words), strict=True)) if words else None
    return Run(name, Catalogue(items, dataset, words, found), SingleRanker(recommender, kind))


def _ranker(name: str, params: Params, paths: Paths) -> Ranker:
    if name in params.ensembles:
        return _ensemble(name, params, paths)
    kind = params.models[params.runs[name].model].name
    return SingleRanker(_recommender(name, params, paths), kind)


def _recommender(name: str, params: Params, paths: Paths) -> Recommender:
    _require_trained(name, paths)
    run = params.runs[name]
    data = load_model_data(paths.dataset(run.dataset), text=run.text, image=run.image)
    return load_finetuned(data, paths.run(name).finetuned)


def _ensemble(name: str, params: Params, paths: Paths) -> Ranker:
    settings, weights = params.ensembles[name], paths.ensemble_weights(name)
    for part in settings.parts:
        _require_trained(part.run, paths)
    if not weights.is_file():
        what = f"the weights of ensemble '{name}' are not found yet"
        raise DataError(_not_there(what, weights, "ensemble", name))
    members = load_members(settings, paths)
    members = replace(members, recommenders=[kept(part) for part in members.recommenders])
    return EnsembleRanker(build_ensemble(members, read_weights(weights, members.names)))


def _require_trained(name: str, paths: Paths) -> None:
    record = paths.run(name).finetuned / RECORD
    if not record.is_file():
        raise DataError(_not_there(f"run '{name}' is not trained", record, "finetune", name))


def _not_there(what: str, path: Path, stage: str, name: str) -> str:
    return (
        f"{what} ({path}: file not found); run `dvc repro {stage}@{name}`, or `dvc pull "
        f"{stage}@{name}` where a team shares it"
    )
