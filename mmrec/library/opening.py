"""A finished run of a project in, by its name; an object that recommends out."""

from __future__ import annotations

from pathlib import Path

from mmrec.io import DataError
from mmrec.library.catalogue import Catalogue
from mmrec.library.dataset import PROJECT, open_dataset
from mmrec.library.ids import require_name
from mmrec.library.ranker import EnsembleRanker, Ranker, SingleRanker
from mmrec.library.run import Run
from mmrec.models.data import load_model_data
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.training.ensemble import build_ensemble, load_members, read_weights
from mmrec.training.finished import RECORD, load_finetuned


def open_run(name: str, project: Path | str = PROJECT) -> Run:
    """A finished run, or an ensemble of runs, of a project; on the device of `MMREC_DEVICE`.

    Args:
        name: an entry of `runs` or `ensembles`.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such run; names those that there are.
        DataError: the run is not trained, or a file is damaged or of other data.
    """
    paths = Paths(Path(project))
    params = load_params(paths.params)
    entries = ranked_entries(params)
    require_name("run", name, entries)
    dataset = open_dataset(entries[name].dataset, project)
    of_report = params.report.dataset == dataset.name
    words = params.report.categories if of_report else []
    catalogue = Catalogue(dataset.items, dataset, words)
    return Run(name, catalogue, _ranker(name, params, paths))


def _ranker(name: str, params: Params, paths: Paths) -> Ranker:
    if name in params.ensembles:
        return _ensemble(name, params, paths)
    _require_trained(name, paths)
    run = params.runs[name]
    data = load_model_data(paths.dataset(run.dataset), text=run.text, image=run.image)
    recommender = load_finetuned(data, paths.run(name).finetuned)
    return SingleRanker(recommender, params.models[run.model].name)


def _ensemble(name: str, params: Params, paths: Paths) -> Ranker:
    settings, weights = params.ensembles[name], paths.ensemble_weights(name)
    for part in settings.parts:
        _require_trained(part.run, paths)
    if not weights.is_file():
        what = f"the weights of ensemble '{name}' are not found yet"
        raise DataError(_not_there(what, weights, "ensemble", name))
    members = load_members(settings, paths)
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
