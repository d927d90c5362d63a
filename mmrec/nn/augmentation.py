"""Random changes of sequences during pre-training: item drop and complementary mixup (MP4SR 3.3).

Shapes: B sequences, L sequence length, T real positions, D embedding_dim. Items [B, L] are right
padded with 0.
Randomness comes from torch's default generator, which the trainer seeds; of several processes,
from that of the first.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mmrec.nn.processes import shared_uniform

DropSchedule = Literal["fixed", "uniform"]


class Dropped(NamedTuple):
    """Sequences after item drop, and where to read what."""

    items: Tensor  # [B, L'] survivors, shifted left, right padded
    positions: Tensor  # [B, L] for each old position: new position of the last survivor up to it


def drop_items(items: Tensor, probability: float | Tensor, draws: Tensor | None = None) -> Dropped:
    """Remove each item with the given probability; order is kept and the first item always stays.

    The state that stands for old position l is the one at `positions[:, l]`: for the training
    sample "items up to l", dropping in the whole sequence is the same as dropping in the sample.

    Example: items [5, 7, 9, 0] with 7 dropped -> items [5, 9], positions [0, 0, 1, 1].

    Args:
        items: [B, L].
        probability: Of each item.
        draws: Uniform random numbers [B, L]; drawn here if there are none.
    """
    valid = items != 0
    if draws is None:
        draws = torch.rand(items.shape, device=items.device)
    keep = valid & (draws >= probability)
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
    if schedule == "fixed":
        return probability
    return float(shared_uniform(device=torch.device("cpu"))) * probability


def swap_modalities(
    text: Tensor, image: Tensor, probability: float | Tensor, draws: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Complementary mixup: exchange the two modalities at randomly chosen positions.

    Args:
        text: Text stream, one vector per real position, [T, D].
        image: Image stream, [T, D].
        probability: Chance of each position to be swapped.
        draws: Uniform random numbers [T]; drawn here if there are none.
    """
    if draws is None:
        draws = torch.rand(len(text), device=text.device)
    swapped = draws.unsqueeze(1) < probability  # [T, 1]
    return torch.where(swapped, image, text), torch.where(swapped, text, image)
