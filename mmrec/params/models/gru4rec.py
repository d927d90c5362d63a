"""Settings of GRU4Rec, as in RecBole."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt

from mmrec.params.next_item import NextItemParams
from mmrec.params.training import Probability, SequenceArchitecture


class Gru4RecArchitecture(SequenceArchitecture):
    """GRU4Rec as in RecBole: over item embeddings, a dense layer back to their width."""

    embedding_dim: PositiveInt = 64
    hidden_dim: PositiveInt = 64
    """Width of the recurrent unit's state."""
    num_layers: PositiveInt = 1
    dropout: Probability = 0.3
    """Of the item embeddings that enter the recurrent unit."""


class Gru4RecParams(NextItemParams):
    """GRU4Rec, from item IDs alone."""

    name: Literal["gru4rec"]
    architecture: Gru4RecArchitecture
