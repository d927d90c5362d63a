"""GRU4Rec: item IDs through a gated recurrent unit, full cross-entropy (as in RecBole).

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding,
n samples, c candidates, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.recommender import (
    NextItemModel,
    QueriesAndCandidates,
    QueriesAndTable,
    inference,
)
from mmrec.nn.packing import Packing
from mmrec.nn.recurrent_encoder import RecurrentEncoder


class Gru4Rec(NextItemModel):
    """Inner product of the last state and the item's embedding."""

    def __init__(
        self, sequence_encoder: RecurrentEncoder, *, num_items: int, embedding_dim: int
    ) -> None:
        super().__init__()
        self.sequence_encoder = sequence_encoder
        self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim))
        nn.init.xavier_normal_(self.item_ids)

    def item_table(self) -> Tensor:
        """Item embeddings [N, D], row 0 zeros."""
        table = self.item_ids.detach().clone()
        table[0] = 0
        return table

    def encode(self, items: Tensor) -> Tensor:
        """State after the last real item; [B, L] -> [B, D]."""
        with inference(self):
            packing = Packing.of(items)
            vectors = F.embedding(packing.pack(items), self.item_ids)  # [T, D]
            return self._states(vectors, packing, packing.last_tokens())

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """States at the positions and the embedding table."""
        packing = Packing.of(items)
        vectors = F.embedding(packing.pack(items), self.item_ids)  # [T, D]
        queries = self._states(vectors, packing, packing.tokens_at(rows, columns))
        return QueriesAndTable(queries, self.item_ids)

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """States at the positions and the candidates' rows; other rows are not read."""
        packing = Packing.of(items)
        tokens = packing.pack(items)
        # Looked up together: each look-up has a gradient of the size of the table.
        found = F.embedding(torch.cat([tokens, candidates]), self.item_ids)  # [T + c, D]
        vectors, of_candidates = found.tensor_split([len(tokens)])
        queries = self._states(vectors, packing, packing.tokens_at(rows, columns))
        return QueriesAndCandidates(queries, of_candidates)

    def _states(self, vectors: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        states: Tensor = self.sequence_encoder(vectors, packing)[samples]  # [n, D]
        return states
