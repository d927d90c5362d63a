"""A finished run of a project in, by its name; an object that recommends out."""

from __future__ import annotations

from pathlib import Path

from mmrec.io import DataError
from mmrec.library.catalogue import Catalogue
from mmrec.library.dataset import PROJECT, dataset_of
from mmrec.library.exported import is_exported, open_exported
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


def open_run(name: str | Path, project: Path | str = PROJECT) -> Run:
    """A finished run, or an ensemble of runs, on the device of `MMREC_DEVICE`.

    Args:
        name: an entry of `runs` or `ensembles` of the project; or a folder that `export_run`
            wrote, which needs no project.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such run; names those that there are.
        DataError: the run is not trained, or a file is damaged, of other data or another version.
    """
    paths, folder = Paths(Path(project)), Path(name)
    if isinstance(name, Path) or len(folder.parts) > 1 or folder.is_absolute():
        return open_exported(folder)
    if is_exported(folder) and not paths.params.is_file():
        return open_exported(folder)
    params = load_params(paths.params)
    if is_exported(folder) and name not in ranked_entries(params):
        return open_exported(folder)
    return open_run_of(name, params, paths)


def open_run_of(name: str, params: Params, paths: Paths) -> Run:
    """The same of a project whose settings are at hand.

    Raises:
        ValueError: there is no such run.
        DataError: the run is not trained, or a file is damaged or of other data.
    """
    entries = ranked_entries(params)
    require_name("run", name, entries)
    dataset = dataset_of(entries[name].dataset, paths)
    of_report = params.report.dataset == dataset.name
    words = params.report.categories if of_report else []
    return Run(name, Catalogue(dataset.items, dataset, words), _ranker(name, params, paths))


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
