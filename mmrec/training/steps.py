"""One epoch of optimiser steps, watched for numbers that are not finite."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor, nn
from tqdm import tqdm

from mmrec.recommender import Batch
from mmrec.training.distributed import SumOverProcesses, own_part
from mmrec.training.optimizer import trainable_parameters

NAMED_PARAMETERS = 5
"""Parameters a message names before it only counts them."""


class NonFiniteError(Exception):
    """A loss or gradient became NaN or infinite; says in which batch and parameters."""


class LossMeter:
    """Mean losses per sample, kept on the device so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        self._sums: dict[str, Tensor] = defaultdict(
            lambda: torch.zeros((), dtype=torch.float64, device=device)
        )
        self._num_samples = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, losses: dict[str, Tensor], num_samples: Tensor) -> None:
        """Count the mean losses of a batch."""
        self._num_samples += num_samples
        for name, loss in losses.items():
            self._sums[name] += loss.detach() * num_samples

    def means(self) -> dict[str, float]:
        """`loss` (the sum) first, then each loss by name."""
        means = {name: float(total / self._num_samples) for name, total in self._sums.items()}
        return {"loss": math.fsum(means.values()), **means}


def run_epoch(
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: tqdm[Batch],
    *,
    max_grad_norm: float | None,
    check_every: int,
) -> dict[str, float]:
    """Train on every batch once, on this process's part of it; returns the mean losses of all.

    Args:
        objective: gives weighted losses by name for a batch; their sum is minimised.
        optimizer: over its trainable parameters.
        batches: the progress bar around them, which shows the loss.
        max_grad_norm: gradients are scaled down to this norm; None leaves them.
        check_every: batches between two looks at the numbers, which wait for the device.

    Raises:
        NonFiniteError: before the step, if `check_every` is 1; else within so many steps.
    """
    objective.train()
    parameters = trainable_parameters(objective)
    device = next(iter(parameters.values())).device
    meter = LossMeter(device)
    sum_over_processes = SumOverProcesses(parameters)
    watched = torch.zeros((), dtype=torch.float64, device=device)
    for number, batch in enumerate(batches, start=1):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            losses: dict[str, Tensor] = objective(own_part(batch))
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        losses = sum_over_processes(losses)
        total = torch.stack(list(losses.values())).sum()
        gradients = [value.grad for value in parameters.values() if value.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        watched += total.detach() + norm  # once not finite, never finite again
        meter.add(losses, batch.num_samples)
        if number % check_every == 0 and not math.isfinite(float(watched)):
            raise NonFiniteError(_describe(number, losses, parameters))
        if max_grad_norm is not None:
            nn.utils.clip_grads_with_norm_(parameters.values(), max_grad_norm, norm)
        optimizer.step()
        if number % check_every == 0:
            batches.set_postfix(loss=f"{total.item():.4g}", refresh=False)
    if not math.isfinite(float(watched)):
        raise NonFiniteError(f"within {check_every} batches of the last")
    return meter.means()


def _describe(number: int, losses: dict[str, Tensor], parameters: dict[str, nn.Parameter]) -> str:
    bad = [name for name, loss in losses.items() if not loss.isfinite()]
    values = [name for name, tensor in parameters.items() if not tensor.isfinite().all()]
    gradients = [
        name
        for name, tensor in parameters.items()
        if tensor.grad is not None and not tensor.grad.isfinite().all()
    ]
    return (
        f"batch {number}: losses not finite: {_some(bad)}; parameters not finite: "
        f"{_some(values)}; gradients not finite: {_some(gradients)}"
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED_PARAMETERS]) or "none"
    rest = len(names) - NAMED_PARAMETERS
    return f"{shown} and {rest} more" if rest > 0 else shown
