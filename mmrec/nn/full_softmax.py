"""Queries and a whole catalogue in, the mean cross-entropy of their targets out, in little memory.

Shapes: n training samples, N items incl. padding, I = N - 1 candidates, D width of a query;
r samples of a chunk.

The loss is a scalar, so its gradients are known as soon as it is: a chunk of logits becomes
powers and then gradients while it is still in the cache, and nothing of size [n, I] ever exists.
Nothing is computed a second time in the backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Logits at once: 6 MiB stay in the cache of a CPU, an accelerator wants more to do at a time.
MAX_LOGITS = {"cpu": 3 << 19}
MAX_LOGITS_ELSEWHERE = 1 << 26
# With fewer samples, reading the catalogue costs more than the products; rows that are no whole
# cache lines cost half as much again.
MIN_ROWS = 64
ROW_STEP = 16
# Sums of 2 ** logit are exact enough between these bounds, whatever the number of candidates.
MAX_POWER = 80.0


def mean_cross_entropy(
    queries: Tensor, table: Tensor, targets: Tensor, *, max_logits: int | None
) -> Tensor:
    """Mean over samples of -log softmax(queries @ table[1:].T)[target - 1].

    Args:
        queries: [n, D], float32 or float64.
        table: [N, D] of the same type; row 0 is padding and no candidate.
        targets: [n], rows of the table.
        max_logits: most logits at once, but those of one sample; by default what suits the device.
    """
    rows = samples_at_once(queries.device, len(table), max_logits)
    loss: Tensor = _MeanCrossEntropy.apply(queries, table, targets, rows)  # type: ignore[no-untyped-call]
    return loss


def samples_at_once(device: torch.device, num_candidates: int, max_logits: int | None) -> int:
    """Samples of a chunk: at most so many logits, but one sample; or what suits the device."""
    if max_logits is not None:
        return max(1, max_logits // num_candidates)
    budget = MAX_LOGITS.get(device.type, MAX_LOGITS_ELSEWHERE)
    return max(MIN_ROWS, budget // num_candidates // ROW_STEP * ROW_STEP)


class _MeanCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, table: Tensor, targets: Tensor, rows: int) -> Tensor:
        wants_queries, wants_table, *_ = ctx.needs_input_grad
        queries_grad = torch.empty_like(queries) if wants_queries else None
        # Sliced here and not by the caller: autograd would copy the gradient into another table.
        table_grad = torch.zeros_like(table) if wants_table else None
        candidates, targets = table[1:], targets - 1
        bounded = _are_bounded(queries, candidates)
        losses = queries.new_empty(len(targets))
        memory = _memory(queries, len(candidates), min(rows, len(targets)))
        for start in range(0, len(targets), rows):
            own = slice(start, start + rows)
            chunk, of_target = queries[own], targets[own].unsqueeze(0)  # [r, D], [1, r]
            # Candidates first: this way round the products are faster by a fifth.
            weights = memory[:, : len(chunk)]  # [I, r]
            total = _weights(candidates, chunk, bounded=bounded, out=weights)  # [r]
            share = weights.gather(0, of_target) / total  # [1, r]
            losses[own] = -share.squeeze(0).log()
            # The gradient by the logits is share - 1 for the target, and the share for others.
            weights.scatter_(0, of_target, (share - 1) * total)
            scale = (1 / (total * len(targets))).unsqueeze(1)  # [r, 1]
            if queries_grad is not None:
                torch.mm(weights.T, candidates, out=queries_grad[own]).mul_(scale)
            if table_grad is not None:
                table_grad[1:].addmm_(weights, chunk * scale)
        ctx.save_for_backward(queries_grad, table_grad)
        return _with_lost(losses, queries, candidates, targets).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        queries_grad, table_grad = (
            None if gradient is None else gradient * loss_grad for gradient in ctx.saved_tensors
        )
        return queries_grad, table_grad, None, None


def _are_bounded(queries: Tensor, candidates: Tensor) -> bool:
    """Whether powers of all logits fit the type as they are; asked on a CPU, where it is free."""
    if queries.device.type != "cpu":
        return False
    longest = queries.norm(dim=1).amax() * candidates.norm(dim=1).amax()
    return bool(longest * math.log2(math.e) < MAX_POWER)


def _memory(queries: Tensor, num_candidates: int, num_samples: int) -> Tensor:
    """Room for the weights of a chunk [I, r], laid out as its device wants it."""
    if queries.device.type == "cpu":
        return queries.new_empty(num_candidates, num_samples)
    # The logits of a sample side by side: elsewhere a softmax over far apart ones takes ten times
    # as long as all the rest of a step.
    return queries.new_empty(num_samples, num_candidates).T


def _weights(candidates: Tensor, queries: Tensor, *, bounded: bool, out: Tensor) -> Tensor:
    """Shares of the candidates times their total, [I, r] to `out`; returns the totals [r]."""
    if bounded:
        # No largest logit to find and subtract, and 2 ** x takes a third of the time of e ** x.
        torch.mm(candidates, queries.T * math.log2(math.e), out=out)
        return torch.exp2(out, out=out).sum(dim=0)
    torch.mm(candidates, queries.T, out=out)
    if out.stride(0) == 1:
        torch.softmax(out.T, dim=1, out=out.T)
    else:
        torch.softmax(out, dim=0, out=out)
    return out.new_ones(len(queries))


def _with_lost(losses: Tensor, queries: Tensor, candidates: Tensor, targets: Tensor) -> Tensor:
    """The losses [n], those of shares so small that they lost digits computed from the logits."""
    smallest = torch.finfo(losses.dtype)
    lost = (losses > -math.log(smallest.tiny / smallest.eps)).nonzero().squeeze(1)
    for sample in lost.tolist():
        logits = candidates @ queries[sample]  # [I]
        losses[sample] = logits.logsumexp(0) - logits[targets[sample]]
    return losses
