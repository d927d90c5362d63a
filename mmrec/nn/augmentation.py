"""Random changes of sequences during pre-training: item drop and complementary mixup (MP4SR 3.3).

Shapes: B sequences, L sequence length, T real positions, D embedding_dim. Items [B, L] are right
padded with 0.
Randomness comes from torch's default generator, which the trainer seeds.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

DropSchedule = Literal["fixed", "uniform"]


class Dropped(NamedTuple):
    """Sequences after item drop, and where to read what."""

    items: Tensor  # [B, L'] survivors, shifted left, right padded
    positions: Tensor  # [B, L] for each old position: new position of the last survivor up to it


def drop_items(items: Tensor, probability: float | Tensor) -> Dropped:
    """Remove each item with the given probability; order is kept and the first item always stays.

    The state that stands for old position l is the one at `positions[:, l]`: for the training
    sample "items up to l", dropping in the whole sequence is the same as dropping in the sample.

    Example: items [5, 7, 9, 0] with 7 dropped -> items [5, 9], positions [0, 0, 1, 1].
    """
    valid = items != 0
    keep = valid & (torch.rand(items.shape, device=items.device) >= probability)
    keep[:, 0] = valid[:, 0]
    positions = (keep.cumsum(dim=1) - 1).clamp(min=0)  # [B, L]
    length = items.shape[1]
    # Dropped items are all written to one extra column, which is then cut off.
    destinations = torch.where(keep, positions, length)
    shifted = items.new_zeros(len(items), length + 1).scatter(1, destinations, items)
    longest = int(keep.sum(dim=1).max())
    return Dropped(shifted[:, : max(longest, 1)], positions)


def draw_drop_probability(probability: float, schedule: DropSchedule) -> float:
    """Drop probability of a batch: always the same, or uniform up to it (the authors' code)."""
    return probability if schedule == "fixed" else float(torch.rand(())) * probability


def swap_modalities(
    text: Tensor, image: Tensor, probability: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Complementary mixup: exchange the two modalities at randomly chosen positions.

    Args:
        text: Text stream, one vector per real position, [T, D].
        image: Image stream, [T, D].
        probability: Chance of each position to be swapped.
    """
    swapped = torch.rand(len(text), 1, device=text.device) < probability  # [T, 1]
    return torch.where(swapped, image, text), torch.where(swapped, text, image)
