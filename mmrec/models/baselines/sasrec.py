"""SASRec: item IDs through a causal transformer, full cross-entropy (as in RecBole).

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding,
n samples, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.recommender import NextItemModel, QueriesAndTable, inference
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder


class Sasrec(NextItemModel):
    """Inner product of the last state and the item's embedding."""

    def __init__(
        self, sequence_encoder: SequenceEncoder, *, num_items: int, embedding_dim: int
    ) -> None:
        super().__init__()
        self.sequence_encoder = sequence_encoder
        self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim).normal_(std=0.02))

    def item_table(self) -> Tensor:
        """Item embeddings [N, D], row 0 zeros."""
        table = self.item_ids.detach().clone()
        table[0] = 0
        return table

    def encode(self, items: Tensor) -> Tensor:
        """State after the last real item; [B, L] -> [B, D]."""
        with inference(self):
            packing = Packing.of(items)
            return self._states(items, packing, packing.last_tokens())

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """States at the positions and the embedding table."""
        packing = Packing.of(items)
        queries = self._states(items, packing, packing.tokens_at(rows, columns))
        return QueriesAndTable(queries, self.item_ids)

    def _states(self, items: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        tokens = F.embedding(packing.pack(items), self.item_ids).unsqueeze(0)  # [1, T, D]
        states: Tensor = self.sequence_encoder(tokens, packing, samples)[0]  # [n, D]
        return states
