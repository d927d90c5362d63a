"""Rows of this process in, the rows of all processes out; random numbers that all of them share.

Shapes: n rows of this process, m rows of all processes, D width, L columns.

The processes of a training each hold a part of every batch, in the order of their ranks. With one
process nothing here communicates or changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def num_processes() -> int:
    """Processes of this training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_rank() -> int:
    """Number of this process, from 0 on; the first one writes."""
    return dist.get_rank() if num_processes() > 1 else 0


@dataclass(frozen=True)
class Parts:
    """How many rows of a batch each process has.

    Attributes:
        counts: rows by rank; some may be 0.
    """

    counts: tuple[int, ...]

    @classmethod
    def of(cls, num_rows: int, device: torch.device) -> Parts:
        """Ask every process for its number of rows."""
        if num_processes() == 1:
            return cls((num_rows,))
        counts = torch.zeros(num_processes(), dtype=torch.int64, device=device)
        counts[process_rank()] = num_rows
        dist.all_reduce(counts)
        return cls(tuple(counts.tolist()))

    @property
    def total(self) -> int:
        """Rows of all processes: m."""
        return sum(self.counts)

    @property
    def own(self) -> slice:
        """Where the rows of this process are among those of all."""
        first = sum(self.counts[: process_rank()])
        return slice(first, first + self.counts[process_rank()])

    @property
    def share(self) -> float:
        """What part of all rows this process has: the weight of its mean in the mean of all."""
        return self.counts[process_rank()] / self.total

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of all processes in the order of ranks; [n, ...] -> [m, ...].

        With gradient, on one condition: every process goes on to compute the very same loss from
        the rows, and its part of the loss is 1 / number of processes.
        """
        if len(self.counts) == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self)  # type: ignore[no-untyped-call]
        return gathered

    def uniform(self, width: int, device: torch.device) -> Tensor:
        """Random numbers [n, L] of the own rows, as one process draws them for all rows."""
        return shared_uniform(self.total, width, device=device)[self.own]


def shared_uniform(*shape: int, device: torch.device) -> Tensor:
    """Random numbers from 0 to 1 that are the same in every process: those of the first."""
    return first_process_has(torch.rand(shape, device=device))


def first_process_has(values: Tensor) -> Tensor:
    """The values of the first process, in every process; written over one's own."""
    if num_processes() > 1:
        dist.broadcast(values, 0)
    return values


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, parts: Parts) -> Tensor:
        ctx.parts = parts
        # Collectives want the same shape everywhere: pad to the longest part.
        longest = max(parts.counts)
        padded = F.pad(rows, (0, 0) * (rows.dim() - 1) + (0, longest - len(rows))).contiguous()
        received = [torch.empty_like(padded) for _ in parts.counts]
        dist.all_gather(received, padded)
        return torch.cat([part[:n] for part, n in zip(received, parts.counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        # The sum of what all processes have to say about these rows. All say the same, so that
        # nothing needs to travel.
        return gradient[ctx.parts.own] * len(ctx.parts.counts), None
