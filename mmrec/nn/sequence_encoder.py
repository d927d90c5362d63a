"""Item vectors of sequences in, one state per position out: a transformer.

Shapes: T tokens (real positions), B sequences, S streams, D embedding_dim, n samples.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.nn.dropout import dropout
from mmrec.nn.packing import Packing
from mmrec.nn.transformer import (
    LAYER_NORM_EPS,
    Activation,
    Direction,
    Initialisation,
    TransformerLayers,
    initialise,
)

Anchor = Literal["start", "end", "longest", "none"]


class SequenceEncoder(nn.Module):
    """Post-norm transformer with learned positions.

    The defaults are RecBole's SASRec, causal with positions from the start. Others:
        BERT4Rec: direction `both`.
        MMSRec: `both`, norm_eps 1e-5, input_dropout .2 beside dropout .5; anchor
            `end` for histories and `start` for an item by itself.
        PMMRec, MMSR (user encoder): activation `relu`, norm_eps 1e-6, attention_bias False,
            initialisation `xavier_normal`, anchor `end`.

    Args:
        embedding_dim: D.
        num_layers: at least 1.
        num_heads: a divisor of D.
        feedforward_dim: inner width of the feed-forward nets.
        dropout: of the inputs and of what attention and feed-forward nets add.
        attention_dropout: of the attention weights.
        max_sequence_length: learned positions.
        direction: `causal`, a state knows its token and earlier ones; `both`, all.
        activation: of the feed-forward nets.
        norm_eps: of every layer norm.
        attention_bias: whether the maps of attention have biases.
        initialisation: of dense maps and positions.
        input_dropout: of the inputs, where it is another than `dropout`.
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
        max_sequence_length: int,
        direction: Direction = "causal",
        activation: Activation = "gelu",
        norm_eps: float = LAYER_NORM_EPS,
        attention_bias: bool = True,
        initialisation: Initialisation = "normal",
        input_dropout: float | None = None,
    ) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(max_sequence_length, embedding_dim))
        self.input_norm = nn.LayerNorm(embedding_dim, eps=norm_eps)
        self.dropout = dropout if input_dropout is None else input_dropout
        self.layers = TransformerLayers(
            embedding_dim=embedding_dim,
            num_layers=num_layers,
            num_heads=num_heads,
            feedforward_dim=feedforward_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            direction=direction,
            activation=activation,
            norm_eps=norm_eps,
            attention_bias=attention_bias,
        )
        if initialisation == "normal":
            nn.init.normal_(self.positions, std=0.02)
        else:
            nn.init.xavier_normal_(self.positions)
        initialise(self, initialisation)

    def forward(
        self,
        inputs: Tensor,
        packing: Packing,
        samples: Tensor | None = None,
        *,
        anchor: Anchor = "start",
    ) -> Tensor:
        """Encode the item vectors of tokens, each stream by itself; [S, T, D] -> [S, T, D].

        Args:
            inputs: [S, T, D].
            packing: where the tokens are. Those of one step share its position.
            samples: [n] tokens whose states are wanted; the result is then [S, n, D], and what
                follows the attention of the last layer is done for no others.
            anchor: where positions are counted from, see `position_index`; `none` adds none.
        """
        states = self.first_states(inputs, packing, anchor=anchor)
        encoded: Tensor = self.layers(states, packing, samples)  # [S, n, D]
        return encoded

    def first_states(self, inputs: Tensor, packing: Packing, *, anchor: Anchor = "start") -> Tensor:
        """What enters the first layer: positions added, norm, dropout; [S, T, D] -> [S, T, D]."""
        if anchor != "none":
            index = position_index(packing, anchor, len(self.positions))
            inputs = inputs + F.embedding(index, self.positions)
        return self.normed(inputs)

    def normed(self, states: Tensor) -> Tensor:
        """Norm and dropout of the inputs; [..., D] -> [..., D]."""
        return dropout(self.input_norm(states), self.dropout, training=self.training)


def position_index(
    packing: Packing, anchor: Literal["start", "end", "longest"], num_positions: int
) -> Tensor:
    """Row of each token in a table of positions; [T].

    `start`: a sequence's first step has the first row, as if it were padded on the right. `end`:
    its last step has the last row, as if it were padded on the left to `num_positions`; with
    `longest` only to the longest of the batch, whose rows a sequence's positions depend on.
    """
    if packing.longest > num_positions:
        raise ValueError(
            f"a batch holds sequences of {packing.longest} items, the model has positions for "
            f"{num_positions}; cut histories to max_sequence_length or raise it"
        )
    if anchor == "start":
        return packing.steps
    padded_to = num_positions if anchor == "end" else packing.longest
    return packing.steps + (padded_to - packing.num_steps)[packing.sequences]
