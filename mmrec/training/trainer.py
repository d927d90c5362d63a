"""The training loop: epochs, validation, early stopping, checkpoints, history."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mmrec.nn.processes import process_rank
from mmrec.params.optimizer import ParameterGroup
from mmrec.params.training import LoopParams
from mmrec.recommender import BatchSource
from mmrec.seeds import derive_seed
from mmrec.stage import memory_for, progress
from mmrec.training.checkpoint import CheckpointStore
from mmrec.training.digest import training_digest
from mmrec.training.distributed import first_one_first, from_first, seed_of_process, wait_for_all
from mmrec.training.history import write_history
from mmrec.training.optimizer import build_optimizer, set_rates
from mmrec.training.state import HistoryRow, TrainingState
from mmrec.training.steps import NonFiniteError, run_epoch
from mmrec.training.validation import validated

CHECK_EVERY = {"cpu": 1, "cuda": 20}
"""Batches between two looks at the loss: on a GPU each look waits for all queued work."""
LESS_MEMORY = "lower batch_size or max_sequence_length, or take loss: {name: sampled}"

logger = logging.getLogger(__name__)


class DivergenceError(ValueError):
    """Training produced numbers that are not finite; says where and what to change."""


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended; the objective holds the weights of `kept_epoch`.

    Attributes:
        best_epoch: from 1 on.
        best_metric: validation metric of that epoch.
        kept_epoch: the best one, or the last.
        kept_metric: validation metric of that epoch.
        epochs_run: epochs in the history, those before an interruption included.
        resumed_after: epoch that a checkpoint continued from, 0 if there was none.
    """

    best_epoch: int
    best_metric: float
    kept_epoch: int
    kept_metric: float
    epochs_run: int
    resumed_after: int


def train(
    objective: nn.Module,
    batches: BatchSource,
    validate: Callable[[], Mapping[str, float]],
    loop: LoopParams,
    *,
    seed: int,
    stage: str,
    settings: Mapping[str, object],
    checkpoint_dir: Path,
    history_path: Path,
    groups: Sequence[ParameterGroup] = (),
) -> TrainingResult:
    """Train until the metric has not improved for `patience` epochs, at most `epochs`.

    The objective is left with the weights of the best epoch, or of the last (`keep`).

    The random state is set anew at every epoch, so a training that was killed and continued
    gives the same weights and history as one that was not. The checkpoints stay: the caller
    discards them (`discard_checkpoints`) when what it makes of the result is written.

    Args:
        objective: `objective(batch)` gives weighted losses by name; on its device.
        batches: of the same device.
        validate: validation metrics of the objective as it is, higher is better.
        loop: its fields alone are read, not those of a class derived from it; batches have
            their size already.
        seed: of the run.
        stage: name of the training, part of every seed.
        settings: JSON values of all else that decides the result, such as the model's
            params; a checkpoint of other settings, batches, initial weights, features or
            code is put aside and not continued.
        checkpoint_dir: of this training alone, outside the outputs of a stage.
        history_path: `history.csv` to write after every epoch.
        groups: parameters that the model wants trained with settings of their own; those of
            `loop` come first.

    Raises:
        DivergenceError: a loss or gradient is not finite.
        ValueError: `validate` does not give the metric, nothing is trainable, or groups do not
            fit the parameters.
    """
    optimizer = build_optimizer(objective, loop, groups, stage=stage)
    decisive = {
        "loop": loop.model_dump(mode="json", include=set(LoopParams.model_fields)),
        "groups": [group.model_dump(mode="json") for group in groups],
        "seed": seed,
        "stage": stage,
        "settings": dict(settings),
    }
    store = CheckpointStore(checkpoint_dir, training_digest(decisive, batches.digest, objective))
    return _Loop(
        objective=objective,
        optimizer=optimizer,
        batches=batches,
        validate=validate,
        params=loop,
        seed=seed,
        stage=stage,
        store=store,
    ).run(history_path)


@dataclass(frozen=True)
class _Loop:
    objective: nn.Module
    optimizer: torch.optim.Optimizer
    batches: BatchSource
    validate: Callable[[], Mapping[str, float]]
    params: LoopParams
    seed: int
    stage: str
    store: CheckpointStore

    def run(self, history_path: Path) -> TrainingResult:
        state = self._first_state()
        resumed_after = state.epoch
        write_history(state.history, history_path)
        try:
            while state.epoch < self.params.epochs and state.bad_epochs < self.params.patience:
                with memory_for(f"{self.stage} epoch {state.epoch + 1}", lower=LESS_MEMORY):
                    later = self._next_state(state)
                    self.store.save(later, self.objective, self.optimizer)
                state = later
                write_history(state.history, history_path)
        except KeyboardInterrupt:
            logger.warning(
                "%s: interrupted in epoch %d; epoch %d is kept in %s, `dvc repro` continues there",
                self.stage,
                state.epoch + 1,
                state.epoch,
                self.store.directory,
            )
            raise
        wait_for_all()  # until they are written
        if self.params.keep == "best":
            self.store.load_best(state, self.objective)
        wait_for_all()  # none deletes what another has yet to read
        return self._result(state, resumed_after)

    def _result(self, state: TrainingState, resumed_after: int) -> TrainingResult:
        assert state.best_metric is not None
        kept = state.best_epoch if self.params.keep == "best" else state.epoch
        return TrainingResult(
            best_epoch=state.best_epoch,
            best_metric=state.best_metric,
            kept_epoch=kept,
            kept_metric=state.history[kept - 1][self.params.metric],
            epochs_run=state.epoch,
            resumed_after=resumed_after,
        )

    def _first_state(self) -> TrainingState:
        with first_one_first():
            state = self.store.resume(self.objective, self.optimizer)
            if state is None:
                state = TrainingState()
                self.store.save(state, self.objective, self.optimizer)
        if state.epoch:
            logger.info("%s: continues after epoch %d", self.stage, state.epoch)
        return state

    def _next_state(self, state: TrainingState) -> TrainingState:
        metric = self.params.metric
        started = time.perf_counter()
        losses = self._train_epoch(state)
        seconds = time.perf_counter() - started
        metrics = from_first(lambda: validated(self.objective, self.validate, metric, self.stage))
        rate: float = self.optimizer.param_groups[0]["lr"]
        row: HistoryRow = {"epoch": state.epoch + 1, "learning_rate": rate, **losses, **metrics}
        state = state.after(row, metrics[metric])
        logger.info(
            "%s epoch %d: loss %.4f, %s %.4f (best %.4f in epoch %d), %.1f s",
            self.stage,
            state.epoch,
            losses["loss"],
            metric,
            metrics[metric],
            state.best_metric,
            state.best_epoch,
            seconds,
        )
        return state

    def _train_epoch(self, state: TrainingState) -> dict[str, float]:
        device = next(self.objective.parameters()).device
        check_every = CHECK_EVERY.get(device.type, 1)
        try:
            try:
                return self._steps(state, check_every)
            except NonFiniteError:
                if check_every == 1:
                    raise
                # By now the bad numbers are everywhere; go through the epoch again and
                # look at every batch, to say where they come from.
                self.store.resume(self.objective, self.optimizer)
                return self._steps(state, check_every=1)
        except NonFiniteError as error:
            best = f"epoch {state.best_epoch}" if state.best_epoch else "none yet"
            last = f"epoch {state.epoch}" if state.epoch else "the untrained model"
            raise DivergenceError(
                f"{self.stage}: the loss or gradients are not finite in epoch {state.epoch + 1}, "
                f"{error}; lower learning_rate or max_grad_norm (kept in {self.store.directory}: "
                f"{last}, the last before it; {best}, the best)"
            ) from None

    def _steps(self, state: TrainingState, check_every: int) -> dict[str, float]:
        epoch = state.epoch + 1
        torch.manual_seed(seed_of_process(derive_seed(self.seed, self.stage, epoch)))
        set_rates(self.optimizer, self.params.schedule, epoch)
        batches = self.batches.epoch(epoch)
        so_far = ""
        if state.best_metric is not None:
            metric = self.params.metric
            latest = float(state.history[-1][metric])
            so_far = f" ({metric} {latest:.4f}, best {state.best_metric:.4f})"
        with progress(
            batches,
            total=len(batches),
            unit="batch",
            desc=f"{self.stage} epoch {epoch}{so_far}",
            shown=process_rank() == 0,
        ) as bar:
            return run_epoch(
                self.objective,
                self.optimizer,
                bar,
                max_grad_norm=self.params.max_grad_norm,
                check_every=check_every,
            )
