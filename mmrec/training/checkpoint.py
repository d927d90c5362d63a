"""Checkpoints: a training can be killed at any moment and continues where it was.

In the checkpoint folder, `last-<epoch>` holds weights, optimiser and progress after an
epoch, `best-<epoch>` the weights of the best. Each is written under a temporary name and
renamed when whole, `best` before the `last` that speaks of it; what the newest `last`
does not speak of is deleted after it is in place. So the newest `last` is always whole,
and its best weights are there. Nothing in it is pickled, and every file has a checksum:
one that has changed since is named, and the newest whole checkpoint is continued.

A folder of other settings, data or code is moved to `<folder>.old` before another training
takes its place, one without a whole checkpoint to `<folder>.damaged`. Other files in the
folder are let alone.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from mmrec.io import DataError
from mmrec.training.distributed import is_first_process
from mmrec.training.moments import Moments, load_moments, moments_by_name, moments_of
from mmrec.training.sealed_files import (
    DamagedError,
    SealedFolder,
    read_folder,
    remove,
    write_folder,
)
from mmrec.training.state import TrainingState

WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
OLD, DAMAGED = ".old", ".damaged"

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
        """Make `state` the one to continue from, with its best weights kept.

        Raises:
            WriteError: the disk is full, say; the checkpoint before it is still there.
        """
        if not self._writes:
            return
        record = {"digest": self._digest, "state": state.to_json()}
        last, best = _name("last", state.epoch), _name("best", state.best_epoch)
        files = {WEIGHTS: _portable(objective.state_dict())}
        if state.best_epoch == state.epoch:
            write_folder(self.directory / best, files, record)
        files[OPTIMIZER] = _portable(moments_by_name(objective, optimizer))
        write_folder(self.directory / last, files, record)
        self._keep_only({last, best})

    def resume(
        self, objective: nn.Module, optimizer: torch.optim.Optimizer
    ) -> TrainingState | None:
        """Load the newest whole checkpoint into both; None where there is none to continue.

        Raises:
            ValueError: what the first process wrote is not there, or does not fit this one.
            DataError: there is a file where the folder must be.
            OSError: a checkpoint is there and cannot be read.
        """
        damaged: list[Path] = []
        for folder in self._newest_first():
            try:
                saved = _read_last(folder)
                if saved.record.get("digest") != self._digest:
                    self._start_anew(f"{folder} belongs to other settings, data or code")
                    return None
                state = TrainingState.from_json(saved.record["state"])
                self._read_best(state)  # now, and not when training has come to its end
                moments = _read_moments(folder, saved, objective)
            except DamagedError as error:
                self._seen_by_first(f"{folder} is damaged ({error})")
                logger.warning("%s is damaged (%s); it is not continued", folder, error)
                damaged.append(folder)
                continue
            for newer in damaged:  # or the other processes would find it
                remove(newer)
            objective.load_state_dict(saved.tensors[WEIGHTS])
            load_moments(optimizer, moments)
            return state
        if damaged:
            logger.warning("training starts anew")
            self._move_to(DAMAGED)
        else:
            self._seen_by_first(f"{self.directory} has no checkpoint")
        return None

    def load_best(self, state: TrainingState, objective: nn.Module) -> None:
        """Load the best weights that `state` speaks of.

        Raises:
            DataError: they were damaged since they were written.
        """
        try:
            best = self._read_best(state)
        except DamagedError as error:
            raise DataError(f"{error}; run the stage again, it starts anew") from None
        objective.load_state_dict(best.tensors[WEIGHTS])

    def _read_best(self, state: TrainingState) -> SealedFolder:
        folder = self.directory / _name("best", state.best_epoch)
        best = read_folder(folder)
        if (best.record["digest"], best.record["state"]["epoch"]) != (
            self._digest,
            state.best_epoch,
        ):
            raise DamagedError(f"{folder}: of another training")
        return best

    def _start_anew(self, why: str) -> None:
        self._seen_by_first(why)
        logger.warning("%s; it is not continued, training starts anew", why)
        if any(self._epochs("best").values()):
            # Who tries other settings may want the best of the former ones back.
            self._move_to(OLD)
        else:
            _delete(self.directory)

    def _seen_by_first(self, why: str) -> None:
        """What the first process finds it mends before the others come; they must not find it."""
        if not self._writes:
            raise ValueError(
                f"{why}, though the first process wrote it: every process needs the same "
                "code, data, params and project folder"
            )

    def _move_to(self, ending: str) -> None:
        aside = _aside(self.directory, ending)
        _delete(aside)
        self.directory.rename(aside)
        logger.warning("%s is kept as %s until this training has ended", self.directory, aside)

    def _newest_first(self) -> list[Path]:
        # A renamed folder is whole; a temporary one starts with a dot and is no match.
        epochs = self._epochs("last")
        return sorted(epochs, key=lambda folder: epochs[folder], reverse=True)

    def _epochs(self, kind: str) -> dict[Path, int]:
        """Folders of a kind with their epochs."""
        return {
            path: int(match[1])
            for path in self._found()
            if (match := re.fullmatch(rf"{kind}-([0-9]+)", path.name)) and path.is_dir()
        }

    def _found(self) -> list[Path]:
        try:
            return list(self.directory.iterdir())  # unlike glob, keeps silent about no error
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise DataError(
                f"{error.filename}: found a file, expected a folder of checkpoints; move it away"
            ) from None

    def _keep_only(self, names: set[str]) -> None:
        for path in sorted(self._found()):
            ours = re.fullmatch(r"(last|best)-[0-9]+|\.(last|best)-[0-9]+\.tmp", path.name)
            if ours and path.name not in names:
                remove(path)


def discard_checkpoints(directory: Path) -> None:
    """Delete the checkpoints of a training whose outputs are written, with what it put aside."""
    for folder in (directory, _aside(directory, OLD), _aside(directory, DAMAGED)):
        _delete(folder)


def _read_last(folder: Path) -> SealedFolder:
    saved = read_folder(folder)
    if OPTIMIZER not in saved.tensors:  # whole, and a `best` all the same
        raise DamagedError(f"{folder / OPTIMIZER}: missing")
    return saved


def _read_moments(folder: Path, saved: SealedFolder, objective: nn.Module) -> Moments:
    try:
        return moments_of(objective, saved.tensors[OPTIMIZER])
    except DamagedError as error:
        raise DamagedError(f"{folder / OPTIMIZER}: {error}") from None


def _name(kind: str, epoch: int) -> str:
    return f"{kind}-{epoch:06d}"


def _aside(directory: Path, ending: str) -> Path:
    return directory.with_name(f"{directory.name}{ending}")


def _delete(directory: Path) -> None:
    # Renamed first: half a deleted folder must not look like a training to continue.
    discarded = directory.with_name(f".{directory.name}.discarded")
    remove(discarded)
    if directory.exists():
        directory.rename(discarded)
        remove(discarded)


def _portable(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # Copies: safetensors refuses tensors that share memory, as tied weights do.
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
