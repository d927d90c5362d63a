"""Padded sequences in, the list of their real positions out, and back.

Shapes: B sequences, L sequence length, T real positions ("tokens"), S streams, n samples,
b sequences of a group, l length of its longest, t its tokens.

Sequence lengths differ much, so most of a padded batch is padding. What treats positions one by
one works on tokens; attention pads sequences of similar length together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Sequences of up to 4, 8, 16, ... items are padded together: at most half of it is padding.
SHORTEST_LIMIT, NUM_LIMITS = 4, 32


@dataclass(frozen=True)
class Group:
    """Sequences of similar length, none of them empty."""

    places: Tensor  # [t] index of the tokens into the flattened [b * l]
    num_sequences: int  # b
    length: int  # l

    @cached_property
    def real(self) -> Tensor | None:
        """True where `pad` puts a token, [b, l]; None if that is everywhere."""
        num_places = self.num_sequences * self.length
        if len(self.places) == num_places:
            return None
        real = torch.zeros(num_places, dtype=torch.bool, device=self.places.device)
        return real.index_fill_(0, self.places, True).view(self.num_sequences, self.length)

    def pad(self, tokens: Tensor) -> Tensor:
        """Tokens in their places, zeros elsewhere; [S, t, D] -> [S * b, l, D]."""
        num_streams, _, width = tokens.shape
        padded = tokens.new_zeros(num_streams, self.num_sequences * self.length, width)
        padded.index_copy_(1, self.places, tokens)  # [S, b * l, D]
        return padded.view(num_streams * self.num_sequences, self.length, width)

    def unpad(self, padded: Tensor) -> Tensor:
        """Inverse of `pad`; [S * b, l, D] -> [S, t, D]."""
        flat = padded.reshape(-1, self.num_sequences * self.length, padded.shape[-1])
        return flat.index_select(1, self.places)


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a batch of sequences are.

    Tokens are ordered by sequence, shorter sequences first (`of_pairs` has its own order), then by
    position. A step of a sequence is one token; only where it has a token for each of its
    modalities (`mmrec.nn.slot_packing`) are there more or fewer tokens than steps.
    """

    sequences: Tensor  # [T] sequence of the token
    columns: Tensor  # [T] number of the token in its sequence
    places: Tensor  # [T] index of the tokens into the flattened padded batch
    starts: Tensor  # [B] first token of each sequence
    lengths: Tensor  # [B] tokens of each sequence
    groups: tuple[Group, ...]  # consecutive tokens
    steps: Tensor  # [T] step of the token in its sequence
    num_steps: Tensor  # [B] steps of each sequence
    longest: int  # steps of the longest sequence

    @classmethod
    def of(cls, items: Tensor) -> Packing:
        """Find the real positions of items [B, L], right padded with 0.

        An empty sequence keeps its first position as a token, so that every sequence has a state.
        """
        return cls.of_lengths((items != 0).sum(dim=1).clamp(min=1), width=items.shape[1])

    @classmethod
    def of_lengths(cls, lengths: Tensor, *, width: int | None = None) -> Packing:
        """Lay out sequences of that many tokens [B], 0 allowed.

        Args:
            lengths: [B].
            width: what they are padded to on the right, the longest if None.
        """
        order = lengths.argsort(stable=True)
        ordered = lengths[order]
        ends = ordered.cumsum(0)
        return cls._laid_out(lengths, order, ends, _borders(ordered, ends), width=width)

    @classmethod
    def of_pairs(cls, first: Tensor, second: Tensor) -> tuple[Packing, Packing]:
        """Lay out sequences that have tokens in two streams, similar in both lengths together.

        The groups of both packings are the same sequences in the same order, so that a group's
        tokens of one stream can attend to those of the other. Neither goes by length alone.

        Args:
            first: tokens of each sequence in the one stream, at least 1; [B].
            second: in the other, at least 1; [B].
        """
        lengths = torch.stack([first, second])  # [2, B]
        below, above = torch.searchsorted(_limits(lengths.device), lengths)  # 2 x [B] limits passed
        kinds, order = (below * NUM_LIMITS + above).sort(stable=True)
        ordered = lengths[:, order]
        ends = ordered.cumsum(1)
        borders = _pair_borders(kinds, ordered, ends)
        return (
            cls._laid_out(first, order, ends[0], borders[0], width=None),
            cls._laid_out(second, order, ends[1], borders[1], width=None),
        )

    @classmethod
    def _laid_out(
        cls,
        lengths: Tensor,
        order: Tensor,
        ends: Tensor,
        borders: list[_Border],
        *,
        width: int | None,
    ) -> Packing:
        """Sequences of those lengths [B], in that order [B]; `ends` [B] go by that order."""
        ordered = lengths[order]
        num_tokens, longest = borders[-1].token, max(border.longest for border in borders)
        starts = torch.empty_like(ends).scatter(0, order, ends - ordered)  # [B]
        sequences = torch.repeat_interleave(order, ordered, output_size=num_tokens)  # [T]
        columns = torch.arange(num_tokens, device=lengths.device) - starts[sequences]  # [T]
        return cls(
            sequences=sequences,
            columns=columns,
            places=sequences * (longest if width is None else width) + columns,
            starts=starts,
            lengths=lengths,
            groups=tuple(_group(ordered, columns, *pair) for pair in pairwise(borders)),
            steps=columns,
            num_steps=lengths,
            longest=longest,
        )

    def pack(self, padded: Tensor) -> Tensor:
        """Values of the tokens; [B, L] -> [T]."""
        return padded.flatten()[self.places]

    def split(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Tokens of each group; [S, T, D] -> [S, t, D] each."""
        return tokens.split_with_sizes([len(group.places) for group in self.groups], dim=1)

    def tokens_at(self, sequences: Tensor, columns: Tensor) -> Tensor:
        """Token numbers of the positions (sequence, column); [n]."""
        return self.starts[sequences] + columns

    def last_tokens(self) -> Tensor:
        """Number of each sequence's last token, none being empty; [B]."""
        return self.starts + self.lengths - 1


class _Border(NamedTuple):
    """Where a group ends and the next begins."""

    sequence: int
    token: int
    longest: int  # of the group that ends


def _borders(lengths: Tensor, ends: Tensor) -> list[_Border]:
    """Where ascending lengths [B] pass group limits; `ends` [B] counts the tokens up to each.

    All that must be known to lay out a batch is read at once: a GPU is waited for once. Empty
    sequences come before the first border, and are in no group.
    """
    limits = F.pad(_limits(lengths.device), (1, 0))
    sequences = torch.searchsorted(lengths, limits, right=True)
    last = (sequences - 1).clamp(min=0)
    (num_empty, *_), *rest = torch.stack([sequences, ends[last], lengths[last]], dim=1).tolist()
    borders = [_Border(num_empty, 0, 0)]
    for found in rest:
        if found[0] > borders[-1].sequence:
            borders.append(_Border(*found))
    return borders


def _pair_borders(kinds: Tensor, lengths: Tensor, ends: Tensor) -> list[list[_Border]]:
    """Where ascending kinds [B] of pairs change, in both streams: lengths [2, B], ends [2, B]."""
    _, groups, counts = torch.unique(kinds, return_inverse=True, return_counts=True)
    longest = lengths.new_zeros(2, len(counts)).scatter_reduce(
        1, groups.expand(2, -1), lengths, "amax"
    )
    sequences = counts.cumsum(0)
    found = torch.stack([sequences.expand(2, -1), ends[:, sequences - 1], longest], dim=2).tolist()
    return [[_Border(0, 0, 0), *(_Border(*border) for border in stream)] for stream in found]


def _limits(device: torch.device) -> Tensor:
    return SHORTEST_LIMIT << torch.arange(NUM_LIMITS, device=device)


def _group(lengths: Tensor, columns: Tensor, first: _Border, end: _Border) -> Group:
    """The sequences between two borders, in order; columns [T] are the tokens' positions."""
    count, num_tokens = end.sequence - first.sequence, end.token - first.token
    numbers = torch.arange(count, device=lengths.device)
    own = lengths[first.sequence : end.sequence]  # [b]
    sequences = torch.repeat_interleave(numbers, own, output_size=num_tokens)  # [t]
    places = sequences * end.longest + columns[first.token : end.token]
    return Group(places, count, end.longest)
