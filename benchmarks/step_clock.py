"""Where the time of a training goes: hooks around what the trainer calls."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from mmrec.recommender import Batch, BatchSource, EpochBatches


class StepClock:
    """Batches for the trainer that note how long each part of a step takes.

    After `max_steps` batches the epoch is cut off; 0 runs it to its end.

    `backward` is all between the loss and the optimiser's step: gradients, their norm, clipping.
    On a GPU each part is waited for.
    """

    def __init__(self, batches: BatchSource, objective: nn.Module, max_steps: int = 0) -> None:
        self._batches, self._max_steps = batches, max_steps
        self._waits = next(objective.parameters()).is_cuda
        self.steps_of_epoch = 0
        self.seconds: dict[str, float] = defaultdict(float)
        self.num_steps = 0
        self._last = time.perf_counter()
        objective.register_forward_pre_hook(lambda *_: self.lap("between"))
        objective.register_forward_hook(lambda *_: self.lap("forward"))
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)

    @property
    def digest(self) -> str:
        """Of the batches."""
        return self._batches.digest

    def epoch(self, epoch: int) -> EpochBatches:
        """The batches of an epoch, timed."""
        self._last = time.perf_counter()
        inner = self._batches.epoch(epoch)
        self.lap("batches")
        self.steps_of_epoch = len(inner)
        return _Timed(inner, min(len(inner), self._max_steps or len(inner)), self.lap)

    def lap(self, name: str) -> None:
        """Add the time since the last lap to a part."""
        if self._waits:
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[name] += now - self._last
        self._last = now

    def _before_step(self, *_: Any) -> None:
        self.lap("backward")

    def _after_step(self, *_: Any) -> None:
        self.lap("optimiser")
        self.num_steps += 1


class _Timed:
    def __init__(self, inner: EpochBatches, steps: int, lap: Callable[[str], None]) -> None:
        self._inner, self._steps, self._lap = inner, steps, lap

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        for batch in islice(self._inner, self._steps):
            self._lap("batches")
            yield batch
            self._lap("between")
