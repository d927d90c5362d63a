"""SASRec: item IDs through a causal transformer, full cross-entropy (as in RecBole)."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.models.item_ids import ItemIdModel
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder


class Sasrec(ItemIdModel):
    """Inner product, or cosine over the temperature, of the last state and the item's embedding."""

    def __init__(
        self,
        sequence_encoder: SequenceEncoder,
        *,
        num_items: int,
        embedding_dim: int,
        max_sequence_length: int,
        temperature: float | None = None,
    ) -> None:
        item_ids = torch.empty(num_items, embedding_dim).normal_(std=0.02)
        super().__init__(item_ids, max_sequence_length=max_sequence_length, temperature=temperature)
        self.sequence_encoder = sequence_encoder

    def _states(self, vectors: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        states: Tensor = self.sequence_encoder(vectors.unsqueeze(0), packing, samples)[0]  # [n, D]
        return states
