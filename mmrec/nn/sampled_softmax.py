"""Queries, their targets and a part of the catalogue in, an estimate of the full softmax loss out.

Shapes: n training samples, c candidates, N items incl. padding, D width of a query.

A candidate that the batch brings with probability q stands for 1 / q items like it, so it counts
that much in the sum under the target: then the sum is, on average, that over the whole catalogue
(the log Q correction, Bengio and Senecal 2008). A sample's own target is always there and stands
for itself alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.nn.scoring import at_least_float32


def sampled_softmax(
    queries: Tensor,
    positives: Tensor,
    candidates: Tensor,
    log_weights: Tensor,
    *,
    targets: Tensor,
    items: Tensor,
) -> Tensor:
    """Mean over samples of -log exp(s_t) / (exp(s_t) + sum over j != t of w_j exp(s_j)).

    Requirements:
        Candidates are distinct; a candidate that is the sample's target is left out of its sum.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | queries | [n, D] | already divided by the temperature, if there is one |
        | positives | [n, D] | vector of each sample's target |
        | candidates | [c, D] | vectors that all samples share |
        | log_weights | [c] | log of how much a candidate counts |
        | targets | [n] | item index of each sample's target |
        | items | [c] | item index of each candidate |

    Recommendations:
        `log_sampled_weights` for candidates that are drawn, `log_in_batch_weights` for the
        targets of the batch; zeros leave the correction out.

    Relations to other losses:
        With all items as candidates and weights of 1 it is `full_cross_entropy`.
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, positives, candidates = map(at_least_float32, (queries, positives, candidates))
        of_targets = (queries * positives).sum(dim=1)  # [n]
        logits = torch.addmm(log_weights.to(queries.dtype), queries, candidates.T)  # [n, c]
        # Not minus infinity: where nothing else is a candidate, gradients would not be numbers.
        left_out = torch.finfo(logits.dtype).min
        others = logits.masked_fill_(targets.unsqueeze(1) == items, left_out).logsumexp(dim=1)
        return (torch.logaddexp(of_targets, others) - of_targets).mean()


def draw_items(cumulative_shares: Tensor, num_draws: int) -> Tensor:
    """Items 1 to N - 1, drawn with replacement by their shares; [num_draws].

    Args:
        cumulative_shares: float64 [N - 1], running sum of the shares of items 1 to N - 1.
        num_draws: K.
    """
    uniform = torch.rand(
        num_draws, dtype=cumulative_shares.dtype, device=cumulative_shares.device
    ).mul_(cumulative_shares[-1])
    drawn = torch.searchsorted(cumulative_shares, uniform, right=True)
    # Rounding can put a draw at the very end behind the last item.
    return drawn.clamp_(max=len(cumulative_shares) - 1) + 1


def log_sampled_weights(shares: Tensor, times: Tensor, num_draws: int) -> Tensor:
    """Log of times / (K q): items drawn `times` in K draws of shares q; all [c]."""
    return times.to(shares.dtype).log() - (num_draws * shares).log()


def log_in_batch_weights(shares: Tensor, num_samples: int) -> Tensor:
    """Minus the log chance that items with shares q [c] are a target among n samples.

    1 - (1 - q)^n is n q for a rare item, and 1 for one that every batch has.
    """
    return -(-torch.expm1(num_samples * torch.log1p(-shares))).log()
