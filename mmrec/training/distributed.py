"""A training on several processes: who holds which rows, and what they tell each other.

Every process makes the same batches and trains a part of the rows of each. Gradients are summed
before every step, so weights stay equal everywhere. The first process validates and writes.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mmrec.device import choose_device
from mmrec.nn.processes import num_processes, process_rank
from mmrec.recommender import Batch
from mmrec.seeds import derive_seed

TIMEOUT = timedelta(minutes=60)
"""Longest wait for another process; a validation by the first is the longest there is."""


@contextmanager
def process_group(rank: int, size: int, init_method: str) -> Iterator[None]:
    """What is inside is one of several processes of a training.

    Args:
        rank: number of this process, from 0 on.
        size: processes.
        init_method: where they meet, as `torch.distributed.init_process_group` has it.
    """
    device = choose_device()
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # NCCL takes one process per device; several share one where the device is named.
        shared = ":" in os.environ.get("MMREC_DEVICE", "")
        backend = f"cpu:gloo,cuda:{'gloo' if shared else 'nccl'}"
    dist.init_process_group(
        backend, init_method=init_method, rank=rank, world_size=size, timeout=TIMEOUT
    )
    if rank:
        logging.getLogger("mmrec").setLevel(logging.ERROR)  # the first one speaks for all
    yield
    # Not after an error: closing waits for the others, who are told by the end of the process.
    dist.destroy_process_group()


def is_first_process() -> bool:
    """Whether this process writes files and reports progress."""
    return process_rank() == 0


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if num_processes() > 1:
        dist.barrier()


@contextmanager
def first_one_first() -> Iterator[None]:
    """The others do what is inside when the first process has done it."""
    if not is_first_process():
        wait_for_all()
    yield
    if is_first_process():
        wait_for_all()


def seed_of_process(seed: int) -> int:
    """Dropout differs between processes; what must not is drawn by the first, for all."""
    return seed if is_first_process() else derive_seed(seed, "process", process_rank())


def from_first(compute: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What the first process computes, in every process; the others wait."""
    if num_processes() == 1:
        return compute()
    # As bytes, on the CPU: names and exact values, whatever their number.
    text = json.dumps(compute()).encode() if is_first_process() else b""
    length = torch.tensor(len(text))
    dist.broadcast(length, 0)
    content = torch.zeros(int(length), dtype=torch.uint8)
    if text:
        content = torch.tensor(list(text), dtype=torch.uint8)
    dist.broadcast(content, 0)
    received: dict[str, float] = json.loads(bytes(content.tolist()))
    return received


def own_part(batch: Batch) -> Batch:
    """What of a batch this process trains."""
    return batch if num_processes() == 1 else batch.part(process_rank(), num_processes())


class SumOverProcesses:
    """Adds up gradients and losses of all processes, once per step and in one message."""

    def __init__(self, parameters: dict[str, nn.Parameter]) -> None:
        self._parameters = parameters
        self._trained: list[nn.Parameter] | None = None
        self._untrained: dict[str, nn.Parameter] = {}

    def __call__(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Replace every gradient by the sum; returns the sums of the losses, without gradient.

        Raises:
            ValueError: a parameter has a gradient that the first step gave no process.
        """
        if num_processes() == 1:
            return losses
        if self._trained is None:
            self._trained = self._with_gradient_anywhere()
        late = [name for name, value in self._untrained.items() if value.grad is not None]
        if late:  # left alone, it would differ between the processes from here on
            raise ValueError(
                f"{', '.join(late)}: first trained by a later batch than the first of the epoch, "
                "which several processes cannot agree on; train with MMREC_PROCESSES=1"
            )
        for parameter in self._trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        values = [loss.detach().float() for loss in losses.values()]
        gradients = [value.grad for value in self._trained if value.grad is not None]
        parts = [*gradients, *values]
        message = torch.cat([part.flatten() for part in parts])
        dist.all_reduce(message)
        for part, total in zip(
            parts, message.split_with_sizes([part.numel() for part in parts]), strict=True
        ):
            part.copy_(total.view_as(part))
        return dict(zip(losses, values, strict=True))

    def _with_gradient_anywhere(self) -> list[nn.Parameter]:
        """Parameters of the objective: a step must leave those alone that play no part in it."""
        parameters = list(self._parameters.values())
        found = [value.grad is not None for value in parameters]
        counts = torch.tensor(found, device=parameters[0].device).int()
        dist.all_reduce(counts)
        trained = dict(zip(self._parameters, counts.tolist(), strict=True))
        self._untrained = {
            name: value for name, value in self._parameters.items() if not trained[name]
        }
        return [value for name, value in self._parameters.items() if trained[name]]
