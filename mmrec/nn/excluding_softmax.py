"""Queries, their targets and shared candidates in, of which each query excludes some of its own;
the mean cross-entropy of the targets among the others out.

Shapes: n training samples, c candidates, D width of a query, K candidates that a sample excludes;
r samples of a chunk.

As in `mmrec.nn.full_softmax`, gradients are computed along with the loss, a chunk of logits at a
time: nothing of size [n, c] ever exists.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmrec.nn.full_softmax import samples_at_once
from mmrec.nn.scoring import at_least_float32


def excluding_softmax(
    queries: Tensor,
    candidates: Tensor,
    log_weights: Tensor,
    times: Tensor,
    *,
    targets: Tensor,
    excluded: Tensor,
    max_logits: int | None = None,
) -> Tensor:
    """Mean over samples of -log w_t exp(s_t) / (w_t exp(s_t) + sum over others m_j w_j exp(s_j)).

    The others are all candidates but the target and those that the sample excludes; the target
    itself counts once.

    Requirements:
        Candidates are distinct. Whether a sample excludes its target makes no difference.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | queries | [n, D] | already divided by the temperature, if there is one |
        | candidates | [c, D] | vectors that all samples share |
        | log_weights | [c] | log w, of how much a candidate counts each time, as target too |
        | times | [c] | m, how often a candidate is there for those whose target it is not |
        | targets | [n] | which candidate is right |
        | excluded | [n, K] | candidates that are none for the sample; the same may be there twice |

    Recommendations:
        Samples are taken in chunks: at most `max_logits` logits exist at a time, or those of one
        sample. Of a sample that excludes all, loss and gradients are 0.

    Relations to other losses:
        `sampled_softmax` excludes the target alone, and weighs it by 1.
    """
    queries, candidates = at_least_float32(queries), at_least_float32(candidates)
    log_times = times.to(queries.dtype).log()
    log_weights = log_weights.to(queries.dtype) + log_times
    rows = samples_at_once(queries.device, len(candidates), max_logits)
    with torch.autocast(queries.device.type, enabled=False):
        loss: Tensor = _ExcludingSoftmax.apply(  # type: ignore[no-untyped-call]
            queries, candidates, log_weights, log_times, targets, excluded, rows
        )
    return loss


class _ExcludingSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        candidates: Tensor,
        log_weights: Tensor,
        log_times: Tensor,
        targets: Tensor,
        excluded: Tensor,
        rows: int,
    ) -> Tensor:
        wants_queries, wants_candidates, *_ = ctx.needs_input_grad
        queries_grad = torch.empty_like(queries) if wants_queries else None
        candidates_grad = torch.zeros_like(candidates) if wants_candidates else None
        losses = queries.new_empty(len(targets))
        for start in range(0, len(targets), rows):
            own = slice(start, start + rows)
            chunk, of_target = queries[own], targets[own].unsqueeze(1)  # [r, D], [r, 1]
            logits = torch.addmm(log_weights, chunk, candidates.T)  # [r, c]
            right = logits.gather(1, of_target) - log_times[of_target]  # [r, 1]
            logits.scatter_(1, excluded[own], -torch.inf).scatter_(1, of_target, right)
            total = logits.logsumexp(dim=1, keepdim=True)  # [r, 1]
            losses[own] = (total - right).squeeze(1)
            # The gradient by the logits is share - 1 for the target, and the share for others.
            shares = logits.sub_(total).exp_()
            shares.scatter_(1, of_target, shares.gather(1, of_target) - 1).div_(len(targets))
            if queries_grad is not None:
                torch.mm(shares, candidates, out=queries_grad[own])
            if candidates_grad is not None:
                candidates_grad.addmm_(shares.T, chunk)
        ctx.save_for_backward(queries_grad, candidates_grad)
        return losses.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_grad: Tensor) -> tuple[Tensor | None, ...]:
        queries_grad, candidates_grad = (
            None if gradient is None else gradient * loss_grad for gradient in ctx.saved_tensors
        )
        return queries_grad, candidates_grad, None, None, None, None, None
