"""A training of `params.yaml` from files to files: all that both training stages do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mmrec.io import write_json
from mmrec.models.data import TrainingRun, load_model_data
from mmrec.params.model import Stage
from mmrec.params.pipeline import Params, PretrainingParams, RunParams
from mmrec.paths import Paths, costs_of
from mmrec.stage import Summary
from mmrec.training.checkpoint import discard_checkpoints
from mmrec.training.costs import CostClock
from mmrec.training.distributed import is_first_process
from mmrec.training.finished import RECORD, load_weights, save_model, save_note
from mmrec.training.fit import fit
from mmrec.training.history import validation_of, write_history


class Places(NamedTuple):
    """Where a training starts and where it leaves what it gives."""

    start: Path | None
    """Folder of the pre-training it starts from; None where it is one itself."""
    result: Path
    history: Path
    checkpoints: Path
    """Work in progress, outside the outputs of a stage."""
    validation: Path | None = None
    """JSON of the validation metrics of the epoch that is kept; None where nobody compares them."""


def train_stage(
    stage: Stage,
    settings: PretrainingParams | RunParams,
    params: Params,
    paths: Paths,
    places: Places,
) -> Summary:
    """Train one stage of a model; one that the model does not have leaves a note that says so.

    Args:
        stage: which of the model's two trainings.
        settings: the entry of `pretrainings` or `runs` that asks for it.
        params: all settings.
        paths: of the project.
        places: of this training.
    """
    model = params.models[settings.model]
    if model.training(stage) is None:
        return _leave_a_note(model.described(stage), places)
    clock = CostClock(costs_of(paths), whole=not places.checkpoints.exists())
    dataset = paths.dataset(settings.dataset)
    data = load_model_data(dataset, text=settings.text, image=settings.image)
    recommender, record = fit(
        model,
        data,
        TrainingRun(stage, settings.seed, params.validation.mask_history),
        weights=load_weights(places.start) if places.start else None,
        checkpoint_dir=places.checkpoints,
        history_path=places.history,
    )
    if is_first_process():
        save_model(recommender, record, data.items, places.result)
        if places.validation:
            kept = validation_of(places.history, int(str(record["kept_epoch"])))
            write_json(kept, places.validation)
        clock.stop(places.result / RECORD)
        discard_checkpoints(places.checkpoints)
    return {name: value for name, value in record.items() if name != "model"}


def _leave_a_note(model: Mapping[str, object], places: Places) -> Summary:
    write_history([], places.history)
    if is_first_process():
        save_note({"model": model}, places.result)
        if places.validation:
            write_json({}, places.validation)
    return {"trained": False}
