"""Settings of attention that models share: among an item's tokens, and over a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import PositiveInt

from mmrec.params.section import Section
from mmrec.params.training import Probability


class AttentiveFusion(Section):
    """What fusions by attention share."""

    num_layers: PositiveInt = 1
    num_heads: PositiveInt = 12
    feedforward_dim: PositiveInt | None = None
    """Four times `embedding_dim` by default."""
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.1


class HistoryTransformer(Section):
    """A causal transformer over a history; ReLU, no biases in its attention."""

    num_layers: PositiveInt = 2
    num_heads: PositiveInt = 2
    feedforward_dim: PositiveInt | None = None
    """Four times `embedding_dim` by default."""
    dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    positions: Literal["from_end", "from_start"] = "from_end"
    """Where positions are counted from: published sequences are padded on the left."""


def check_heads(embedding_dim: int, parts: Mapping[str, object]) -> None:
    """Refuse a width that the heads of a part, if it has any, cannot share."""
    for where, part in parts.items():
        heads = getattr(part, "num_heads", 1)
        if embedding_dim % heads:
            raise ValueError(
                f"embedding_dim ({embedding_dim}) must be a multiple of {where}.num_heads ({heads})"
            )
