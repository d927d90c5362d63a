"""Full ranking: the rank of a target among all items, from a row of scores.

Every item of the catalogue competes, none is sampled. Whether the user's own history is
masked is one setting for all models of a comparison. Ties count against the model, so a
constant score is the worst rank and not the best. A score that is not a number raises:
counted, it would look like a perfect rank.

Shapes: B users, L history length, N items incl. padding.
"""

from __future__ import annotations

import torch
from torch import Tensor

_EXACT_SUM = 1 << 24
"""Ones that a number of 32 bits can count."""


def rank_targets(scores: Tensor, targets: Tensor, largest: Tensor | None = None) -> Tensor:
    """Rank of each target, int64 [B]: how many items score at least as high, itself included.

    1 is best. Column 0, padding, never counts. An item at minus infinity is masked; a
    target must not be.

    Args:
        scores: [B, N].
        targets: int64 [B], item indices from 1 to N - 1.
        largest: [B], the largest score of each row, where that is known; NaN where one is.

    Raises:
        ValueError: NaN or +inf among the scores, or a target that is masked or no item;
            says in which rows.
    """
    _check(targets, (targets < 1) | (targets >= scores.shape[1]), "a target that is no item")
    # A maximum is NaN if any of its row is, and +inf if any of its row is.
    largest = scores.amax(dim=1) if largest is None else largest
    _check(targets, ~(largest < torch.inf), "a score that is NaN or +inf")
    target_scores = scores.gather(1, targets[:, None])  # [B, 1]
    _check(targets, ~target_scores.squeeze(1).isfinite(), "a target with score -inf")
    # Ones of the width of the scores are summed in a third of the time that booleans take.
    reached = torch.ge(scores, target_scores, out=torch.empty_like(scores, dtype=torch.float32))
    counts = [part.sum(dim=1).long() for part in torch.split(reached[:, 1:], _EXACT_SUM, dim=1)]
    return torch.stack(counts).sum(dim=0)


def mask_items_(
    scores: Tensor, history: Tensor, targets: Tensor, *, at: float = -torch.inf
) -> None:
    """Put the items of `history` [B, L] (0 = padding) at -inf, in the scores [B, N] themselves.

    A target that is in the history as well keeps its score: it is what is asked for. Padding is at
    minus infinity afterwards.

    Args:
        scores: are changed.
        history: what was seen.
        targets: int64 [B].
        at: another score than minus infinity, with which seen items stay candidates.
    """
    of_targets = scores.gather(1, targets[:, None])
    scores.scatter_(1, history, at).scatter_(1, targets[:, None], of_targets)
    scores[:, 0] = -torch.inf


def _check(targets: Tensor, wrong: Tensor, what: str) -> None:
    if bool(wrong.any()):
        rows = wrong.nonzero().squeeze(1)
        raise ValueError(
            f"{what} in {len(rows)} of {len(targets)} user rows (first rows: "
            f"{rows[:5].tolist()}, targets {targets[rows[:5]].tolist()}); "
            "look at the model's output for these users"
        )
