"""Queries and a whole catalogue in, the mean cross-entropy of their targets out, in little memory.

Shapes: n training samples, I candidates, D width of a query; r samples of a chunk.

The loss is a scalar, so its gradients are known as soon as it is: a chunk of logits becomes
probabilities and then gradients while it is still in the cache, and nothing of size [n, I] ever
exists. Nothing is computed a second time in the backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Logits at once: 12 MiB stay in the cache of a CPU, an accelerator wants more to do at a time.
MAX_LOGITS = {"cpu": 3 << 20}
MAX_LOGITS_ELSEWHERE = 1 << 26
# With fewer samples, reading the catalogue costs more than the products.
MIN_ROWS = 32


def mean_cross_entropy(
    queries: Tensor, candidates: Tensor, targets: Tensor, *, max_logits: int | None
) -> Tensor:
    """Mean over samples of -log softmax(queries @ candidates.T)[target].

    Args:
        queries: [n, D], float32 or float64.
        candidates: [I, D] of the same type.
        targets: [n], rows of the candidates.
        max_logits: most logits at once, but those of one sample; by default what suits the device.
    """
    if max_logits is None:
        budget = MAX_LOGITS.get(queries.device.type, MAX_LOGITS_ELSEWHERE)
        most = max(MIN_ROWS, budget // len(candidates))
    else:
        most = max(1, max_logits // len(candidates))
    num_chunks = max(1, math.ceil(len(targets) / most))
    rows = math.ceil(len(targets) / num_chunks)  # of like size: few rows are slow
    loss: Tensor = _MeanCrossEntropy.apply(queries, candidates, targets, rows)  # type: ignore[no-untyped-call]
    return loss


class _MeanCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, candidates: Tensor, targets: Tensor, rows: int
    ) -> Tensor:
        wants_queries, wants_candidates, *_ = ctx.needs_input_grad
        queries_grad = torch.empty_like(queries) if wants_queries else None
        candidates_grad = torch.zeros_like(candidates) if wants_candidates else None
        scale = 1 / len(targets)
        losses = queries.new_empty(len(targets))
        memory = queries.new_empty(len(candidates) * rows)
        for start in range(0, len(targets), rows):
            own = slice(start, start + rows)
            logits = memory[: len(candidates) * len(targets[own])].view(len(candidates), -1)
            # Candidates first: this way round the products are faster by a fifth.
            torch.mm(candidates, queries[own].T, out=logits)  # [I, r]
            losses[own] = _to_gradient(logits, targets[own])
            if queries_grad is not None:
                torch.mm(logits.T, candidates, out=queries_grad[own])
            if candidates_grad is not None:
                candidates_grad.addmm_(logits, queries[own] * scale)
        ctx.save_for_backward(
            None if queries_grad is None else queries_grad.mul_(scale), candidates_grad
        )
        return _with_lost(losses, queries, candidates, targets).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        queries_grad, candidates_grad = (
            None if gradient is None else gradient * loss_grad for gradient in ctx.saved_tensors
        )
        return queries_grad, candidates_grad, None, None


def _to_gradient(logits: Tensor, targets: Tensor) -> Tensor:
    """Turn logits [I, r] into the gradients of the losses [r] by them, and return these."""
    of_target = targets.unsqueeze(0)  # [1, r]
    torch.softmax(logits, dim=0, out=logits)
    shares = logits.gather(0, of_target)  # [1, r]
    logits.scatter_(0, of_target, shares - 1)
    return -shares.squeeze(0).log()


def _with_lost(losses: Tensor, queries: Tensor, candidates: Tensor, targets: Tensor) -> Tensor:
    """The losses [n], those of shares so small that they lost digits computed from the logits."""
    smallest = torch.finfo(losses.dtype)
    lost = (losses > -math.log(smallest.tiny / smallest.eps)).nonzero().squeeze(1)
    for sample in lost.tolist():
        logits = candidates @ queries[sample]  # [I]
        losses[sample] = logits.logsumexp(0) - logits[targets[sample]]
    return losses
