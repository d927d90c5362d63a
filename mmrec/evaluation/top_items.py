"""The best items of each user, from a row of scores: exact, and the same wherever scores are equal.

A list of ten out of ten thousand items would take longer than the ranking beside it if every row
were sorted. It is found as in a tournament: the largest score of every group of items, of every
group of these, and so on; then, from the last round back to the items, only what is below the best
`length` of a round is compared.

Shapes: B users, N items incl. padding, K length of a list, c candidates, n entrants of a round.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

GROUP = 32
"""Entrants of which one goes to the next round."""
FEW = 512
"""Entrants among whom the best are found as soon as they are in groups."""


def rounds(scores: Tensor) -> list[Tensor]:
    """Largest scores of groups of items, of groups of these, and so on: [n, B] each.

    Args:
        scores: [B, N]; the first round is these themselves, transposed, as a product of an item
            table has them in memory.
    """
    found = [scores.T]
    while len(found[-1]) > FEW:
        found.append(_of_groups(found[-1]))
    return found


def top_items(rounds: list[Tensor], length: int) -> Tensor:
    """Items by falling score, of equal ones the smaller index first; int64 [B, K].

    0 where a user has no more candidates: items at minus infinity are none.

    Args:
        rounds: of scores that are not NaN; item 0, padding, is at minus infinity.
        length: K.
    """
    found = rounds[-1].T.contiguous()  # [B, n]
    columns = chosen = _best_columns(found, length)
    members = torch.arange(GROUP, device=found.device)
    for _, entrants in pairwise(reversed(rounds)):
        candidates = (columns[:, :, None] * GROUP + members).flatten(1)  # [B, c], ascending
        found = _values(entrants, candidates)
        chosen = _best_columns(found, length)
        columns = candidates.gather(1, chosen)
    # Of equal scores those of the smaller index come first, since all columns ascend.
    ordered = found.gather(1, chosen).sort(dim=1, descending=True, stable=True)
    items = columns.gather(1, ordered.indices)
    items = items.masked_fill_(ordered.values == -torch.inf, 0)
    return torch.nn.functional.pad(items, (0, length - items.shape[1]))


def _of_groups(entrants: Tensor) -> Tensor:
    """The largest of each group, the last of which may be smaller."""
    whole = len(entrants) // GROUP * GROUP
    largest = entrants[:whole].view(-1, GROUP, entrants.shape[1]).amax(dim=1)
    if whole == len(entrants):
        return largest
    return torch.cat([largest, entrants[whole:].amax(dim=0, keepdim=True)])


def _values(entrants: Tensor, candidates: Tensor) -> Tensor:
    """Those of a round's entrants [n, B] that are asked for, [B, c]; behind the last one -inf."""
    if len(entrants) % GROUP == 0:
        return entrants.T.gather(1, candidates)
    found = entrants.T.gather(1, candidates.clamp(max=len(entrants) - 1))
    return found.masked_fill_(candidates >= len(entrants), -torch.inf)


def _best_columns(values: Tensor, count: int) -> Tensor:
    """Columns of the largest values of each row, of equal ones the first; in ascending order.

    Args:
        values: [B, c].
        count: how many; all where there are fewer.

    Returns:
        int64 [B, min(count, c)].
    """
    count = min(count, values.shape[1])
    smallest = _reached_by(values, count)  # [B, 1]
    reached = values >= smallest
    places = reached.nonzero()
    if len(places) > count * len(values):
        equal = values == smallest
        num_above = (reached & ~equal).sum(dim=1, keepdim=True)
        places = (reached & (~equal | (equal.cumsum(dim=1) <= count - num_above))).nonzero()
    return places[:, 1].reshape(len(values), count)


def _reached_by(values: Tensor, count: int) -> Tensor:
    """The value of each row that `count` values reach, itself included; [B, 1]."""
    if values.device.type != "cpu" or values.dtype not in (torch.float32, torch.float64):
        return values.topk(count, dim=1).values[:, -1:]
    # numpy selects in a fifth of the time that torch takes.
    found = np.partition(values.numpy(), -count, axis=1)[:, -count]
    return torch.from_numpy(found.copy())[:, None]
