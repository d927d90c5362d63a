"""Texts and pictures of a batch's items in, how well each tells its item from others' out.

Shapes: B sequences of length L, c distinct items of the batch, n anchors, a distinct items of
anchors, D embedding_dim, P positives of an anchor.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self, assert_never

import torch
from torch import Tensor

from mmrec.models.in_batch_sequences import SequencesOfBatch
from mmrec.models.next_item import zero
from mmrec.nn.processes import Parts
from mmrec.nn.scoring import unit
from mmrec.nn.several_positives import Anchors, several_positives_softmax

ContrastKind = Literal["nicl", "icl", "vcl"]
Denominator = Literal["all_positives", "literal"]


def modality_contrast(
    text: Tensor,
    image: Tensor,
    batch: SequencesOfBatch,
    *,
    has_text: Tensor,
    has_image: Tensor,
    kind: ContrastKind,
    denominator: Denominator,
    temperature: float,
) -> Tensor:
    """Next-item enhanced cross-modal contrast, NICL, and what it grew from (PMMRec eq. 6 to 8).

    From text to picture, with f(a, b) = exp(cosine / temperature), for an item l of a sequence:
        vcl: -log [f(t_l, v_l) / (f(t_l, v_l) + sum_j f(t_l, v_j))].
        icl: below also sum_j f(t_l, t_j).
        nicl: above also f(t_l, v_l+1) + f(t_l, t_l+1), of the item that follows.
    Items j are those of other sequences that are not in this one, each once. From picture to text
    the two change places; the loss is the mean of both directions and of all anchors.

    Denominators of nicl:
        all_positives: all three positives are below, too.
        literal: as printed, below is the first alone; the loss can be negative.

    Anchors are the positions of trained rows that another item follows, and whose item has both
    a text and a picture: whatever the kind, they are the same. What other items lack is no
    positive and no candidate. Where the item that follows is the same one, its two positives are
    left out: one is the first pair again, the other an item's likeness to itself.

    Of several processes, a part: anchors are those of the own rows, candidates those of all.

    Args:
        text: vectors of the batch's items, zeros where `has_text` is false; [c, D].
        image: the same of pictures, [c, D].
        batch: whose items, and in which sequences.
        has_text: [c].
        has_image: [c].
        kind: which of the three.
        denominator: of nicl.
        temperature: divides cosines.
    """
    anchored = _Anchored.of(batch, has_text & has_image)
    parts = Parts.of(len(anchored.items), text.device)
    if not len(anchored.items):
        return zero(text, image)
    with torch.autocast(text.device.type, enabled=False):
        sides = (unit(text), has_text), (unit(image), has_image)
        directions = [
            _direction(
                anchored, own, other, kind=kind, denominator=denominator, temperature=temperature
            )
            for own, other in (sides, sides[::-1])
        ]
        return (directions[0] + directions[1]) / 2 * parts.share


class _Anchored(NamedTuple):
    """Items of positions that are told apart, as places among the distinct items; ascending."""

    items: Tensor  # [n]
    following: Tensor  # [n] items after them
    sequences: Tensor  # [n, L + 1] items of their sequences, themselves at padding

    @classmethod
    def of(cls, batch: SequencesOfBatch, complete: Tensor) -> Self:
        real, places = batch.real, batch.places
        is_anchor = real[:, :-1] & real[:, 1:] & complete[places[:, :-1]]
        rows, columns = is_anchor.nonzero(as_tuple=True)
        items, order = places[rows, columns].sort(stable=True)
        rows, columns = rows[order], columns[order]
        sequences = torch.where(real[rows], places[rows], items.unsqueeze(1))
        return cls(items, places[rows, columns + 1], sequences)


Side = tuple[Tensor, Tensor]
"""Unit vectors [c, D] of a modality, and which items have it [c]."""


def _direction(
    anchored: _Anchored,
    own: Side,
    other: Side,
    *,
    kind: ContrastKind,
    denominator: Denominator,
    temperature: float,
) -> Tensor:
    """From one's own modality to the other, mean over the own anchors."""
    (vectors, present), (others, others_present) = own, other
    items, following, excluded = anchored
    distinct, which = torch.unique_consecutive(items, return_inverse=True)  # [a], [n]
    positives = items.unsqueeze(1)
    is_positive = torch.ones_like(positives, dtype=torch.bool)
    if kind == "vcl":
        candidates, are_candidates = others, others_present
    else:  # those of the other modality, then those of one's own
        candidates = torch.cat([others, vectors])  # [2 * c, D]
        are_candidates = torch.cat([others_present, present])
        excluded = torch.cat([excluded, excluded + len(others)], dim=1)
    num_below = 1
    if kind == "nicl":
        positives = torch.stack([items, following, following + len(others)], dim=1)  # [n, 3]
        follows = are_candidates[positives] & (following != items).unsqueeze(1)
        is_positive = torch.cat([is_positive, follows[:, 1:]], dim=1)
        num_below = _num_below(denominator)
    return several_positives_softmax(
        vectors.index_select(0, distinct) / temperature,
        candidates,
        are_candidates,
        Anchors(which, positives, is_positive, excluded),
        num_below=num_below,
    )


def _num_below(denominator: Denominator) -> int:
    match denominator:
        case "all_positives":
            return 3
        case "literal":
            return 1
        case _:
            assert_never(denominator)
