"""BERT4Rec: item IDs through a transformer that sees both ways (Sun et al., CIKM 2019).

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding,
n samples, c candidates, D embedding_dim.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.masked_item import with_mask, with_mask_behind
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer import LAYER_NORM_EPS, initialise
from mmrec.recommender import History, inference


class Head(nn.Sequential):
    """Dense layer, GELU and layer norm between a state and the item table."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__(
            nn.Linear(embedding_dim, embedding_dim),
            nn.GELU(),
            nn.LayerNorm(embedding_dim, eps=LAYER_NORM_EPS),
        )
        initialise(self, "normal")


class Bert4Rec(NextItemModel):
    """Inner product of the state at a mask and the item's embedding, and a bias of the item.

    The bias is one more coordinate of the item, and that of a query is 1. After a history comes a
    mask, so that a history may be one item shorter than the sequences that are trained.

    Args:
        sequence_encoder: of both directions.
        num_items: N, which is the index of the mask.
        embedding_dim: D.
        max_sequence_length: of the encoder, the mask included; at least 2.
    """

    def __init__(
        self,
        sequence_encoder: SequenceEncoder,
        *,
        num_items: int,
        embedding_dim: int,
        max_sequence_length: int,
    ) -> None:
        super().__init__(num_items=num_items, max_sequence_length=max_sequence_length - 1)
        self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim))
        self.item_bias = nn.Parameter(torch.zeros(num_items))
        self.mask_vector = nn.Parameter(torch.empty(embedding_dim))
        for weight in (self.item_ids, self.mask_vector):
            nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)
        self.sequence_encoder = sequence_encoder
        self.head = Head(embedding_dim)

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings and the biases."""
        return ("item_ids", "item_bias")

    def item_table(self) -> Tensor:
        """Item embeddings and biases [N, D + 1], row 0 zeros."""
        table = self._table().detach()
        table[0] = 0
        return table

    def encode(self, history: History) -> Tensor:
        """Query at a mask after the last real item; [B, D + 1]."""
        items = with_mask_behind(history.items, self.num_items)
        with inference(self):
            packing = Packing.of(items)
            return self._queries(items, packing, packing.last_tokens())

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """Queries at the positions and the table; `items` [B, L] may hold masks."""
        packing = Packing.of(items)
        queries = self._queries(items, packing, packing.tokens_at(rows, columns))
        return QueriesAndTable(queries, self._table())

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """The same queries, and the candidates' rows; other rows are not read."""
        packing = Packing.of(items)
        queries = self._queries(items, packing, packing.tokens_at(rows, columns))
        vectors = F.embedding(candidates, self.item_ids)  # [c, D]
        biases = self.item_bias[candidates].unsqueeze(1)  # [c, 1]
        return QueriesAndCandidates(queries, torch.cat([vectors, biases], dim=1))

    def _queries(self, items: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        """Queries [n, D + 1] at the tokens `samples` [n]."""
        vectors = with_mask(packing.pack(items), self.item_ids, self.mask_vector)  # [T, D]
        states = self.sequence_encoder(vectors.unsqueeze(0), packing, samples)[0]  # [n, D]
        queries: Tensor = self.head(states)
        return F.pad(queries, (0, 1), value=1.0)

    def _table(self) -> Tensor:
        return torch.cat([self.item_ids, self.item_bias.unsqueeze(1)], dim=1)  # [N, D + 1]
