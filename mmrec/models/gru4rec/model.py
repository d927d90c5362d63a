"""GRU4Rec: item IDs through a gated recurrent unit, full cross-entropy (as in RecBole)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmrec.models.item_ids import ItemIdModel
from mmrec.nn.packing import Packing
from mmrec.nn.recurrent_encoder import RecurrentEncoder


class Gru4Rec(ItemIdModel):
    """Inner product of the last state and the item's embedding."""

    def __init__(
        self,
        sequence_encoder: RecurrentEncoder,
        *,
        num_items: int,
        embedding_dim: int,
        max_sequence_length: int,
    ) -> None:
        item_ids = nn.init.xavier_normal_(torch.empty(num_items, embedding_dim))
        super().__init__(item_ids, max_sequence_length=max_sequence_length)
        self.sequence_encoder = sequence_encoder

    def _states(self, vectors: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        states: Tensor = self.sequence_encoder(vectors, packing)[samples]  # [n, D]
        return states
