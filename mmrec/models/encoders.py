"""Sequence encoders from their settings."""

from __future__ import annotations

from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer import Direction
from mmrec.params.training import TransformerArchitecture


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
