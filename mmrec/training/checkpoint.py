"""Checkpoints: a training can be killed at any moment and continues where it was.

In the checkpoint folder, `last-<epoch>` holds weights, optimiser and progress after an
epoch, `best-<epoch>` the weights of the best. Each is written under a temporary name and
renamed when whole, `best` before the `last` that speaks of it; what the newest `last`
does not speak of is deleted after it is in place. So the newest `last` is always whole,
and its best weights are there. Nothing in it is pickled.

A folder of other settings, data or code is moved to `<folder>.old` before another training
takes its place.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mmrec.training.distributed import is_first_process
from mmrec.training.state import TrainingState

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"

T = TypeVar("T")

logger = logging.getLogger(__name__)


class CheckpointStore:
    """Checkpoints of one training in one folder.

    Args:
        directory: outside the outputs of any stage; it is created at the first save.
        digest: of everything that decides the result; a checkpoint with another digest
            is never continued.
    """

    def __init__(self, directory: Path, digest: str) -> None:
        self.directory = directory
        self._digest = digest
        self._writes = is_first_process()  # the others read what it wrote

    def save(
        self, state: TrainingState, objective: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Make `state` the one to continue from, with its best weights kept."""
        if not self._writes:
            return
        weights = _portable(objective.state_dict())
        if state.best_epoch == state.epoch:
            with self._new_folder(f"best-{state.best_epoch:06d}") as folder:
                save_file(weights, folder / WEIGHTS)
        last = f"last-{state.epoch:06d}"
        with self._new_folder(last) as folder:
            save_file(weights, folder / WEIGHTS)
            save_file(_optimizer_tensors(objective, optimizer), folder / OPTIMIZER)
            record = {"digest": self._digest, "state": state.to_json()}
            (folder / STATE).write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
        self._keep_only({last, f"best-{state.best_epoch:06d}"})

    def resume(
        self, objective: nn.Module, optimizer: torch.optim.Optimizer
    ) -> TrainingState | None:
        """Load the newest checkpoint into both; None where there is none to continue.

        Raises:
            ValueError: what the first process wrote is not there, or does not fit this one.
            OSError: a checkpoint is there and cannot be read.
        """
        folder = self._newest()
        if folder is None:
            if not self._writes:
                self._start_anew(self.directory, "has no checkpoint")
            return None
        try:
            record: dict[str, Any] = json.loads(_read(folder / STATE, Path.read_text))
            state, digest = TrainingState.from_json(record["state"]), record["digest"]
            weights = _read(folder / WEIGHTS, load_file)
            moments = _read(folder / OPTIMIZER, load_file)
            _read(self._best(state), load_file)  # now, and not when training has come to its end
        except (FileNotFoundError, ValueError, KeyError, SafetensorError) as error:
            self._start_anew(folder, f"is damaged ({error})")
            return None
        if digest != self._digest:
            why = "belongs to other settings, data or code"
            self._start_anew(folder, why, trained=state.best_epoch > 0)
            return None
        objective.load_state_dict(weights)
        _load_optimizer(objective, optimizer, moments)
        return state

    def _start_anew(self, folder: Path, why: str, *, trained: bool = False) -> None:
        if not self._writes:
            raise ValueError(
                f"{folder} {why}, though the first process wrote it: every process needs the same "
                "code, data, params and project folder"
            )
        logger.warning("%s %s; it is not continued, training starts anew", folder, why)
        if not trained:
            _delete(self.directory)
            return
        # Who tries other settings may want the best of the former ones back.
        aside = _aside(self.directory)
        _delete(aside)
        self.directory.rename(aside)
        logger.warning("%s is kept as %s until this training has ended", self.directory, aside)

    def load_best(self, state: TrainingState, objective: nn.Module) -> None:
        """Load the best weights that `state` speaks of."""
        objective.load_state_dict(_read(self._best(state), load_file))

    def _best(self, state: TrainingState) -> Path:
        return self.directory / f"best-{state.best_epoch:06d}" / WEIGHTS

    def _newest(self) -> Path | None:
        # A renamed folder is whole; a temporary one starts with a dot and is no match.
        try:
            found = list(self.directory.iterdir())  # unlike glob, keeps silent about no error
        except FileNotFoundError:
            return None
        return max((path for path in found if path.name.startswith("last-")), default=None)

    def _keep_only(self, names: set[str]) -> None:
        for path in sorted(self.directory.iterdir()):
            if path.name not in names:
                shutil.rmtree(path)

    @contextmanager
    def _new_folder(self, name: str) -> Iterator[Path]:
        """A folder to fill, which appears under `name` once it is whole and on disk."""
        temporary = self.directory / f".{name}.tmp"
        final = self.directory / name
        for leftover in (temporary, final):
            # A final folder of this name is ahead of the newest `last`: a kill left it.
            if leftover.exists():
                shutil.rmtree(leftover)
        temporary.mkdir(parents=True)
        yield temporary
        for path in (*temporary.iterdir(), temporary):
            _flush(path)
        temporary.rename(final)
        _flush(self.directory)


def discard_checkpoints(directory: Path) -> None:
    """Delete the checkpoints of a training whose outputs are written, with what it put aside."""
    _delete(directory)
    _delete(_aside(directory))


def _aside(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.old")


def _delete(directory: Path) -> None:
    # Renamed first: half a deleted folder must not look like a training to continue.
    discarded = directory.with_name(f".{directory.name}.discarded")
    if discarded.exists():
        shutil.rmtree(discarded)
    if directory.exists():
        directory.rename(discarded)
        shutil.rmtree(discarded)


def trainable_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that receive gradient, by name; the order is the optimiser's."""
    return {name: value for name, value in module.named_parameters() if value.requires_grad}


def _read(path: Path, load: Callable[[Path], T]) -> T:
    try:
        path.open("rb").close()  # safetensors says "not found" whatever keeps it from opening
        return load(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OSError(
            f"{path}: cannot be read ({error.strerror or error}); the checkpoint is kept: make it "
            "readable and run the stage again, or delete its folder to start anew"
        ) from None


def _portable(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # Copies: safetensors refuses tensors that share memory, as tied weights do.
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _optimizer_tensors(objective: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return _portable(
        {
            f"{name}|{key}": value
            for name, parameter in trainable_parameters(objective).items()
            for key, value in optimizer.state.get(parameter, {}).items()
        }
    )


def _load_optimizer(
    objective: nn.Module, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    number = {name: index for index, name in enumerate(trainable_parameters(objective))}
    state: dict[int, dict[str, Tensor]] = {}
    for joined, value in tensors.items():
        name, _, key = joined.rpartition("|")
        state.setdefault(number[name], {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
