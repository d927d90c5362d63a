"""Settings of a model in; trained as its run would be, and what it is worth on validation, out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmrec.io import DataError
from mmrec.models.data import TrainingRun, load_model_data
from mmrec.params.models.registry import ModelParams
from mmrec.training.finished import load_weights
from mmrec.training.fit import fit
from mmrec.tune.target import Target


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        state: `pruned` where the pruner ended it, `failed` where nothing can be said of it.
        value: of the objective in the epoch that the run would keep; None of a failed one.
        epoch: that epoch, from 1 on.
        epochs: how many were trained.
        seconds: with reading the data.
        reason: why it failed.
    """

    state: Literal["complete", "pruned", "failed"]
    value: float | None
    epoch: int | None
    epochs: int
    seconds: float
    reason: str | None = None


class PrunedError(Exception):
    """The pruner has seen enough."""


def make_trial(
    target: Target,
    settings: Mapping[str, object],
    work: Path,
    seen: Callable[[int, float], None],
) -> Outcome:
    """Train a trial; what is wrong with it alone makes it a failed one.

    Args:
        target: of the search.
        settings: of the trial, by path below the entry of `models`.
        work: a folder for what is in progress.
        seen: is told each epoch, from 1 on, and its objective; raises `PrunedError` to end it.

    Raises:
        OSError: the disk is full, say.
    """
    started = time.perf_counter()
    epochs: list[Mapping[str, float]] = []
    objective = target.search.objective

    def watch(metrics: Mapping[str, float]) -> None:
        epochs.append(metrics)
        seen(len(epochs), metrics[objective])

    state: Literal["complete", "pruned"] = "complete"
    try:
        model = target.model_with(settings)
        assert model.finetune is not None
        try:
            kept = _train(target, model, work, watch)
        except PrunedError:
            state, kept = "pruned", _best(epochs, model.finetune.metric)
    except (ValueError, DataError) as error:
        # Of these settings: it diverges, needs more memory than there is, is refused.
        seconds = time.perf_counter() - started
        return Outcome("failed", None, None, len(epochs), seconds, str(error))
    value, seconds = epochs[kept - 1][objective], time.perf_counter() - started
    return Outcome(state, value, kept, len(epochs), seconds)


def _train(
    target: Target, model: ModelParams, work: Path, watch: Callable[[Mapping[str, float]], None]
) -> int:
    """The epoch that is kept."""
    run, start = target.run, target.run.init_from
    _, record = fit(
        model,
        load_model_data(target.paths.dataset(run.dataset), text=run.text, image=run.image),
        TrainingRun("finetune", run.seed, target.params.validation.mask_history),
        weights=None
        if start == "none"
        else load_weights(target.paths.pretraining(start).pretrained),
        checkpoint_dir=work / "checkpoints",
        history_path=work / "history.csv",
        watch=watch,
    )
    return int(str(record["kept_epoch"]))


def _best(epochs: list[Mapping[str, float]], metric: str) -> int:
    return 1 + max(range(len(epochs)), key=lambda place: epochs[place][metric])
