"""Sequences in, an item from outside each out; and the loss that sets it against the right one.

Shapes: B sequences, L sequence length, n training samples, N items incl. padding, D width of a
query.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.nn.scoring import at_least_float32

# As fine as float32 has it: random numbers from 0 to 1 are multiples of this.
STEP = 2.0**-24


def items_outside(sequences: Tensor, rows: Tensor, uniform: Tensor, num_items: int) -> Tensor:
    """One item for each sample, all alike that are not in the sample's sequence; [n].

    It is the k-th of those outside, k drawn, so nothing is drawn twice. 0, padding, where a
    sequence has every item.

    Args:
        sequences: item indices [B, L], in any order; 0 is padding and is never drawn.
        rows: [n] sequence of each sample.
        uniform: [n, 2] random numbers from 0 to 1. One alone is too coarse for a catalogue of
            millions.
        num_items: N.
    """
    below, num_outside = _outside(sequences, num_items)  # [B, L], [B]
    fine = uniform[:, 0].double() + uniform[:, 1].double() * STEP  # [n]
    number = (fine * num_outside[rows]).long()  # [n]
    passed = torch.searchsorted(below[rows], number.unsqueeze(1), right=True).squeeze(1)  # [n]
    return torch.where(num_outside[rows] > 0, 1 + number + passed, 0)


def _outside(sequences: Tensor, num_items: int) -> tuple[Tensor, Tensor]:
    """Of each sequence's distinct items in order, how many outside items are below; and of all.

    Places that are left over count more below them than there are.
    """
    items = sequences.sort(dim=1).values
    new = (items > 0) & (items != F.pad(items, (1, 0))[:, :-1])
    items = items.masked_fill(~new, num_items).sort(dim=1).values  # places left over are last
    below = items - 1 - torch.arange(items.shape[1], device=items.device)
    below = below.masked_fill(items == num_items, num_items)
    return below, num_items - 1 - new.sum(dim=1)


def binary_cross_entropy(
    queries: Tensor, positives: Tensor, negatives: Tensor, has_negative: Tensor
) -> Tensor:
    """Mean over samples of softplus(-q . positive) + softplus(q . negative).

    Requirements:
        Row j of all four belongs to training sample j.

    Inputs:
        | argument | shape | meaning |
        |---|---|---|
        | queries | [n, D] | state of the sample |
        | positives | [n, D] | vector of its target |
        | negatives | [n, D] | vector of an item that is not its target |
        | has_negative | [n] | False where there is no such item: its term is left out |

    Recommendations:
        Inner products, no temperature. The mean over no samples is 0.

    Relations to other losses:
        With one negative it is SASRec's; `sampled_softmax` compares many.
    """
    with torch.autocast(queries.device.type, enabled=False):
        queries, positives, negatives = map(at_least_float32, (queries, positives, negatives))
        right = F.softplus(-(queries * positives).sum(dim=1))  # [n]
        wrong = F.softplus((queries * negatives).sum(dim=1)) * has_negative  # [n]
        return (right + wrong).sum() / max(1, len(queries))
