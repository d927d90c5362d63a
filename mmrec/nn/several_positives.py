"""Queries, positives of each and shared candidates in, of which each query excludes some of its
own; the mean of minus the log of the positives' share out.

Shapes: n anchors, a queries, c candidates, D width of a query, P positives of an anchor, K
candidates that an anchor excludes; r anchors and k queries of a chunk.

Anchors with the same query have the same logits and exclude others: logits are computed once a
query. As in `mmrec.nn.full_softmax`, gradients are computed along with the loss, a chunk at a time:
nothing of size [n, c] ever exists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmrec.nn.full_softmax import samples_at_once
from mmrec.nn.scoring import at_least_float32


class Anchors(NamedTuple):
    """What each anchor asks, what is right for it, and what is not to be set against it."""

    queries: Tensor  # [n] which query, ascending
    positives: Tensor  # [n, P] which candidates are right
    is_positive: Tensor  # [n, P] whether that positive is there; the first always is
    excluded: Tensor  # [n, K] candidates that are none; the same may be there twice


def several_positives_softmax(
    queries: Tensor,
    candidates: Tensor,
    is_candidate: Tensor,
    anchors: Anchors,
    *,
    num_below: int,
    max_logits: int | None = None,
) -> Tensor:
    """Mean over anchors of -log [sum over positives exp(s_p) / sum over those below exp(s_j)].

    Below are all candidates that the anchor does not exclude, and the first `num_below` of its
    positives, excluded or not.

    Requirements:
        Candidates are distinct, and so are the positives of an anchor.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | queries | [a, D] | already divided by the temperature, if there is one |
        | candidates | [c, D] | vectors that all anchors share |
        | is_candidate | [c] | whether it is one for any anchor |
        | anchors | n | at least one; `excluded` has their positives |

    Recommendations:
        Anchors are taken in chunks: at most `max_logits` logits of anchors exist at a time, or
        those of one. With fewer positives below than there are, the loss can be negative.

    Relations to other losses:
        With one positive it is `excluding_softmax` without weights.
    """
    queries, candidates = at_least_float32(queries), at_least_float32(candidates)
    bias = torch.zeros_like(candidates[:, 0].detach()).masked_fill_(~is_candidate, -torch.inf)
    rows = samples_at_once(queries.device, len(candidates), max_logits)
    with torch.autocast(queries.device.type, enabled=False):
        loss: Tensor = _SeveralPositives.apply(  # type: ignore[no-untyped-call]
            queries, candidates, bias, anchors, num_below, rows
        )
    return loss


class _SeveralPositives(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        candidates: Tensor,
        bias: Tensor,
        anchors: Anchors,
        num_below: int,
        rows: int,
    ) -> Tensor:
        wants_queries, wants_candidates, *_ = ctx.needs_input_grad
        queries_grad = torch.zeros_like(queries) if wants_queries else None
        candidates_grad = torch.zeros_like(candidates) if wants_candidates else None
        losses = queries.new_empty(len(anchors.queries))
        for start, asked in zip(
            range(0, len(losses), rows), _asked(anchors.queries, rows), strict=True
        ):
            own = Anchors(*(column[start : start + rows] for column in anchors))
            which = own.queries - asked.start  # [r]
            logits = torch.addmm(bias, queries[asked], candidates.T)  # [k, c]
            losses[start : start + rows], slopes = _losses(logits[which], own, num_below)
            # Of a query, the sum over its anchors.
            slopes = torch.zeros_like(logits).index_add_(0, which, slopes).div_(len(losses))
            if queries_grad is not None:
                queries_grad[asked].addmm_(slopes, candidates)
            if candidates_grad is not None:
                candidates_grad.addmm_(slopes.T, queries[asked])
        ctx.save_for_backward(queries_grad, candidates_grad)
        return losses.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, loss_grad: Tensor) -> tuple[Tensor | None, ...]:
        queries_grad, candidates_grad = (
            None if gradient is None else gradient * loss_grad for gradient in ctx.saved_tensors
        )
        return queries_grad, candidates_grad, None, None, None, None


def _asked(queries: Tensor, rows: int) -> list[slice]:
    """The queries of each chunk of anchors; read at once, a GPU is waited for once."""
    ends = torch.arange(rows, len(queries) + rows, rows, device=queries.device)
    last = queries[ends.clamp(max=len(queries)) - 1]
    pairs = torch.stack([queries[::rows], last], dim=1).tolist()
    return [slice(first, last + 1) for first, last in pairs]


def _losses(logits: Tensor, anchors: Anchors, num_below: int) -> tuple[Tensor, Tensor]:
    """Losses [r] by logits [r, c], which are written over, and their slopes by these [r, c]."""
    _, positives, is_positive, excluded = anchors
    # One that is not there is the first once more, which changes nothing where it is written.
    positives = torch.where(is_positive, positives, positives[:, :1])  # [r, P]
    right = logits.gather(1, positives)  # [r, P]
    below = positives[:, :num_below]
    logits.scatter_(1, excluded, -torch.inf).scatter_(1, below, right[:, :num_below])
    right = right.masked_fill(~is_positive, -torch.inf)
    total = logits.logsumexp(dim=1, keepdim=True)  # [r, 1]
    above = right.logsumexp(dim=1, keepdim=True)  # [r, 1]
    slopes = logits.sub_(total).exp_()
    slopes.scatter_add_(1, positives, -(right - above).exp_())
    return (total - above).squeeze(1), slopes
