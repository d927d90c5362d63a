"""Tokens of an item's contents in, one vector per item out: attention among all of them.

Shapes: n items, r tokens of a modality, T tokens of all modalities, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, assert_never

import torch
from torch import Tensor, nn

from mmrec.nn.packing import Packing
from mmrec.nn.transformer import LAYER_NORM_EPS, TransformerLayers, initialise

Readout = Literal["cls", "mean"]


class RaggedTokens(NamedTuple):
    """Tokens of one modality, item after item; an item may have none."""

    vectors: Tensor  # [r, D]
    counts: Tensor  # [n] tokens of each item


class MergeAttention(nn.Module):
    """Transformer over an item's tokens of all modalities, every token seeing all others.

    Nothing but the tokens themselves tells positions and modalities apart. PMMRec has one such
    layer, MMSR's Table 3 compares 1, 2 and 4.

    Readouts:
        cls: state of a learned token, the first of each item (PMMRec eq. 3). An item without
            contents has that token alone.
        mean: mean state of the item's tokens (PMMRec's code, and MMSR). The learned token
            stands in for the contents of an item that has none.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        num_layers: int,
        num_heads: int,
        feedforward_dim: int,
        dropout: float,
        attention_dropout: float,
        readout: Readout,
        norm_eps: float = LAYER_NORM_EPS,
    ) -> None:
        super().__init__()
        self.readout: Readout = readout
        self.cls = nn.Parameter(torch.empty(embedding_dim).normal_(std=0.02))
        self.layers = TransformerLayers(
            embedding_dim=embedding_dim,
            num_layers=num_layers,
            num_heads=num_heads,
            feedforward_dim=feedforward_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            direction="both",
            norm_eps=norm_eps,
        )
        initialise(self, "normal")

    def forward(self, contents: Sequence[RaggedTokens]) -> Tensor:
        """Fuse the contents of n items, a modality after the other; [n, D]."""
        counts = torch.stack([tokens.counts for tokens in contents]).sum(dim=0)  # [n]
        has_cls = self._has_cls(counts)
        parts = [RaggedTokens(self.cls.expand(int(has_cls.sum()), -1), has_cls), *contents]
        packing = Packing.of_lengths(counts + has_cls)
        tokens = interleaved(parts, packing)  # [T, D]
        match self.readout:
            case "cls":
                states: Tensor = self.layers(tokens.unsqueeze(0), packing, packing.starts)[0]
                return states  # [n, D]
            case "mean":
                return mean_of_tokens(self.layers(tokens.unsqueeze(0), packing)[0], packing)
            case _:
                assert_never(self.readout)

    def _has_cls(self, num_tokens: Tensor) -> Tensor:
        """Whether an item has the learned token, 0 or 1; [n]."""
        if self.readout == "cls":
            return torch.ones_like(num_tokens)
        return (num_tokens == 0).long()


def interleaved(parts: Sequence[RaggedTokens], packing: Packing) -> Tensor:
    """Tokens as they are packed, an item's tokens of each part in turn; [T, D]."""
    before = torch.zeros_like(packing.starts)  # [n] tokens of the item in earlier parts
    numbers = []
    for part in parts:
        rows = torch.arange(len(part.vectors), device=before.device)
        firsts = part.counts.cumsum(0) - part.counts  # [n] first row of each item
        shift = packing.starts + before - firsts
        owners = torch.repeat_interleave(part.counts, output_size=len(rows))  # [r]
        numbers.append(rows + shift[owners])
        before = before + part.counts
    vectors = torch.cat([part.vectors for part in parts])
    return torch.empty_like(vectors).index_copy(0, torch.cat(numbers), vectors)


def mean_of_tokens(states: Tensor, packing: Packing) -> Tensor:
    """Mean state of each item's tokens, none being without; [T, D] -> [n, D]."""
    totals = states.new_zeros(len(packing.starts), states.shape[1])
    totals = totals.index_add(0, packing.sequences, states)  # [n, D]
    return totals / packing.lengths.unsqueeze(1)
