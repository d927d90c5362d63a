"""The contrastive loss of the demo CLIP, for pictures that several captions of a batch match."""

import torch
from torch import Tensor
from torch.nn import functional


def multi_positive_loss(logits: Tensor, matches: Tensor) -> Tensor:
    """Average both directions of a contrastive loss with any number of positives.

    Each positive competes with the negatives of its row (picture) or column (caption), never
    with the other positives, so that all true words of a picture can be near it at once.

    Args:
        logits: float [B, T], similarity of picture and caption over the temperature.
        matches: bool [B, T], True where the caption is true of the picture; every row has one.
    """
    told = matches.any(dim=0)
    by_caption = _one_direction(logits.T[told], matches.T[told])
    return 0.5 * (_one_direction(logits, matches) + by_caption)


def _one_direction(logits: Tensor, matches: Tensor) -> Tensor:
    negatives = logits.masked_fill(matches, float("-inf")).logsumexp(dim=1, keepdim=True)
    losses = functional.softplus(negatives - logits)
    counts = matches.sum(dim=1).clamp_min(1)
    return (torch.where(matches, losses, 0.0).sum(dim=1) / counts).mean()
