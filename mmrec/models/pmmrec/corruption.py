"""Sequences in, the same with some items shuffled and some replaced out (PMMRec section 3.5).

Shapes: B rows of length L, their sequences of L + 1; c distinct items of the batch. Ranks number
the positions of a row in an order drawn for it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.models.in_batch_sequences import SequencesOfBatch
from mmrec.nn.processes import Parts

UNCHANGED, SHUFFLED, REPLACED = 0, 1, 2
SHORTEST_SHUFFLED = 4
"""Items of a row that is shuffled at all."""


class Corrupted(NamedTuple):
    """Rows after corruption, and what became of each position."""

    items: Tensor  # [B, L] right padded with 0, as before
    labels: Tensor  # [B, L] UNCHANGED, SHUFFLED or REPLACED; UNCHANGED at padding


class Draws(NamedTuple):
    """Random numbers from 0 to 1 that a row is corrupted by."""

    order: Tensor  # [B, L] of the positions
    cycles: Tensor  # [B, L // 2] how the shuffled ones are led in a circle
    replaced: Tensor  # [B] whether there is one where a whole number of them is none
    replacements: Tensor  # [B, L] by rank

    @classmethod
    def of(cls, items: Tensor, batch: SequencesOfBatch) -> Draws:
        """Those of the rows of items [B, L] that train, as one process draws them for all."""
        length = items.shape[1]
        widths = [length, length // 2, 1, length]
        trains = batch.real.any(dim=1)  # [B]
        own = Parts.of(int(trains.sum()), items.device).uniform(sum(widths), items.device)
        drawn = own.new_zeros(len(items), own.shape[1])
        drawn[trains] = own
        order, cycles, replaced, replacements = torch.split(drawn, widths, dim=1)
        return cls(order, cycles, replaced.squeeze(1), replacements)


def corrupt(
    items: Tensor,
    batch: SequencesOfBatch,
    draws: Draws,
    *,
    shuffle_share: float = 0.15,
    replace_share: float = 0.05,
) -> Corrupted:
    """Shuffle a share of each row's items among themselves, and replace a share of the others.

    Of n items round(shuffle_share * n) are shuffled, but at least two, and none where n is below
    4: each comes to the place of another, all ways to do so being as likely. round(replace_share *
    n) are replaced; where that is 0, one with probability replace_share * n. Halves are rounded up.
    Which ones are drawn without regard to where they are.

    What replaces an item is at a random place of other rows' sequences (`SequencesOfBatch`), those
    of all processes, and nowhere in the row's own. Where there is no such item, none is replaced.

    A label says what a position shows: one that was shuffled and has the same item as before is
    unchanged. Rows that train nothing stay as they are.

    Args:
        items: what the rows read, right padded with 0; [B, L].
        batch: whose rows they are.
        draws: see `Draws.of`.
        shuffle_share: of a row's items.
        replace_share: of a row's items, together with the other at most 1.
    """
    lengths = (items > 0).sum(dim=1) * batch.real.any(dim=1)  # [B]
    num_shuffled = _num_shuffled(lengths, shuffle_share)
    num_replaced = _num_replaced(lengths, replace_share, draws.replaced)
    num_replaced = num_replaced.minimum(lengths - num_shuffled)
    ranks = torch.arange(items.shape[1], device=items.device)
    is_padding = ranks >= lengths.unsqueeze(1)
    order = draws.order.masked_fill(is_padding, 2.0).argsort(dim=1)  # [B, L] position of each rank
    by_rank = items.gather(1, order)
    shuffled = by_rank.gather(1, _sources(num_shuffled, draws.cycles, items.shape[1]))
    replacements = _replacements(batch, draws.replacements)
    behind = ranks - num_shuffled.unsqueeze(1)
    is_replaced = (behind >= 0) & (behind < num_replaced.unsqueeze(1)) & (replacements > 0)
    labels = torch.where(is_replaced, REPLACED, (shuffled != by_rank).long())
    corrupted = torch.where(is_replaced, replacements, shuffled)
    return Corrupted(
        torch.empty_like(items).scatter_(1, order, corrupted),
        torch.empty_like(items).scatter_(1, order, labels),
    )


def _num_shuffled(lengths: Tensor, share: float) -> Tensor:
    found = _rounded(lengths, share).clamp(min=2)
    return found * ((lengths >= SHORTEST_SHUFFLED) & (share > 0))


def _num_replaced(lengths: Tensor, share: float, draws: Tensor) -> Tensor:
    found = _rounded(lengths, share)
    return torch.where(found > 0, found, (draws < lengths * share).long())


def _rounded(lengths: Tensor, share: float) -> Tensor:
    # What is a half on paper may be a hair less in binary.
    return (lengths.double() * share + (0.5 + 1e-9)).floor().long()


def _sources(counts: Tensor, draws: Tensor, length: int) -> Tensor:
    """The rank whose item comes to each rank, the first `counts` [B] without fixed points; [B, L].

    Ranks are in random order, so a permutation of them is one as soon as it is known which ranks
    are a cycle: the first ones of those that are left, each taking from the next. Of m left, all
    permutations without fixed points being as likely, r are left behind that cycle with
    probability s_r / sum of s_0 to s_(m-2), where s_r is the share of the permutations of r that
    have no fixed point; s_1 is 0.
    """
    passed = _shares_without_fixed_points(length).to(counts.device).cumsum(0)  # [L + 1]
    sources = torch.arange(1, length + 2, device=counts.device).repeat(len(counts), 1)
    left = counts
    for draw in draws.double().T:
        behind = torch.searchsorted(passed, draw * passed[(left - 2).clamp(min=0)], right=True)
        # The last of the cycle takes from its first; of no cycle, it is a column that is cut off.
        last = torch.where(left > 0, counts - behind - 1, length)
        sources.scatter_(1, last.unsqueeze(1), (counts - left).unsqueeze(1))
        left = torch.where(left > 0, behind, 0)
    ranks = torch.arange(length, device=counts.device)
    return torch.where(ranks < counts.unsqueeze(1), sources[:, :length], ranks)


def _shares_without_fixed_points(most: int) -> Tensor:
    """1 - 1/1! + 1/2! - ... +- 1/r! for r from 0 to `most`; [most + 1]."""
    terms = [1.0]
    for count in range(1, most + 1):
        terms.append(-terms[-1] / count)
    shares = torch.tensor(terms, dtype=torch.float64).cumsum(0)
    shares[1] = 0.0  # exactly
    return shares


def _replacements(batch: SequencesOfBatch, draws: Tensor) -> Tensor:
    """An item for each rank, out of sequences of other rows, or 0 where there is none; [B, L].

    All places of all sequences are a line, by items. A row's own items are cut out of it, the
    number of a place is drawn in what is left, and the cuts before it are added again.
    """
    ends = batch.times.cumsum(0)  # [c]
    num_items = len(batch.items)
    own = torch.where(batch.real, batch.places, num_items).sort(dim=1).values  # [B, L + 1]
    is_first = own != F.pad(own[:, :-1], (1, 0), value=-1)
    known = own.clamp(max=num_items - 1)
    cuts = torch.where(is_first & (own < num_items), batch.times[known], 0)
    before = cuts.cumsum(1) - cuts
    starts = ends[known] - batch.times[known] - before  # in what is left
    remaining = ends[-1] - cuts.sum(dim=1, keepdim=True)  # [B, 1]
    drawn = (draws.double() * remaining).long()  # [B, L]
    passed = starts.unsqueeze(1) <= drawn.unsqueeze(2)  # [B, L, L + 1]
    number = drawn + (passed * cuts.unsqueeze(1)).sum(dim=2)
    found = torch.searchsorted(ends, number, right=True).clamp(max=num_items - 1)
    return torch.where(remaining > 0, batch.items[found], 0)
