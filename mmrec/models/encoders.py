"""Sequence encoders: from their settings, and all kinds of them asked alike.

Shapes: T tokens (real positions), n samples, D embedding_dim.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from torch import Tensor

from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
from mmrec.nn.packing import Packing
from mmrec.nn.recurrent_encoder import RecurrentEncoder
from mmrec.nn.sequence_encoder import Anchor, SequenceEncoder
from mmrec.nn.transformer import Direction
from mmrec.params.attentive import HistoryTransformer
from mmrec.params.training import TransformerArchitecture

HistoryEncoder: TypeAlias = SequenceEncoder | RecurrentEncoder | ConvolutionalEncoder
"""Reads the item vectors of a history, oldest first."""
RELEASED_NORM_EPS: Final = 1e-6
"""Of the transformer over a history in the released code of PMMRec and MMSR."""


def build_transformer(
    architecture: TransformerArchitecture, *, direction: Direction = "causal"
) -> SequenceEncoder:
    """The transformer over a history."""
    return SequenceEncoder(
        embedding_dim=architecture.embedding_dim,
        num_layers=architecture.num_layers,
        num_heads=architecture.num_heads,
        feedforward_dim=architecture.feedforward_dim,
        dropout=architecture.dropout,
        attention_dropout=architecture.attention_dropout,
        max_sequence_length=architecture.max_sequence_length,
        direction=direction,
    )


def build_history_transformer(
    params: HistoryTransformer, *, embedding_dim: int, max_sequence_length: int
) -> SequenceEncoder:
    """That of PMMRec and MMSR: ReLU, no biases in its attention, Xavier-normal."""
    return SequenceEncoder(
        embedding_dim=embedding_dim,
        num_layers=params.num_layers,
        num_heads=params.num_heads,
        feedforward_dim=params.feedforward_dim or 4 * embedding_dim,
        dropout=params.dropout,
        attention_dropout=params.attention_dropout,
        max_sequence_length=max_sequence_length,
        activation="relu",
        norm_eps=RELEASED_NORM_EPS,
        attention_bias=False,
        initialisation="xavier_normal",
    )


def anchor_of(params: HistoryTransformer) -> Anchor:
    """Where it counts positions from."""
    return "end" if params.positions == "from_end" else "start"


def states_at(
    encoder: HistoryEncoder, inputs: Tensor, packing: Packing, samples: Tensor, *, anchor: Anchor
) -> Tensor:
    """States [n, D] at the tokens `samples` [n] of one stream of inputs [T, D].

    Args:
        encoder: causal.
        inputs: item vectors.
        packing: where the tokens are.
        samples: whose states are wanted.
        anchor: where positions are counted from; only a transformer counts any.
    """
    if isinstance(encoder, SequenceEncoder):
        states: Tensor = encoder(inputs.unsqueeze(0), packing, samples, anchor=anchor)[0]
    else:
        states = encoder(inputs, packing, samples)
    return states
