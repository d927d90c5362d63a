"""What models share whose items are encoded: read and scored as the same vectors.

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding, n samples or
items asked for, c candidates, D embedding_dim, D' width of a row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.aligned import IdsAndContent
from mmrec.models.candidates import distinct
from mmrec.models.encoders import HistoryEncoder, states_at
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.items.own_ids import IdDropout, with_ids
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import Anchor
from mmrec.recommender import History, inference

# Items encoded at a time for retrieval; bounds memory, changes no result.
TABLE_CHUNK = 8192


def table_in_chunks(
    encode: Callable[[Tensor], Tensor],
    num_items: int,
    device: torch.device,
    items_at_once: int | None = None,
) -> Tensor:
    """Rows [N, D'] of the whole catalogue, row 0 zeros; `encode` gives those of items [n]."""
    every = torch.arange(num_items, device=device)
    chunks = torch.split(every, items_at_once or TABLE_CHUNK)
    table = torch.cat([encode(chunk) for chunk in chunks])
    table[0] = 0
    return table


class ItemTableModel(NextItemModel):
    """Inner product of the last state and the item's vector; the states are of such vectors.

    In a training step over the whole catalogue an item is encoded once, for inputs and as a
    candidate, so it has one draw of the encoder's dropout.

    Args:
        item_encoder: Embeds items.
        sequence_encoder: Over a history.
        num_items: N, padding included.
        max_sequence_length: Latest items of a history that it reads.
        item_ids: Initial embeddings [N, D] of the items themselves, which are added; None for none.
        id_dropout: Which items go without theirs; None: no item does.
        anchor: Where a transformer counts positions from.
    """

    def __init__(
        self,
        item_encoder: ItemEncoder,
        sequence_encoder: HistoryEncoder,
        *,
        num_items: int,
        max_sequence_length: int,
        item_ids: Tensor | None = None,
        id_dropout: IdDropout | None = None,
        anchor: Anchor = "start",
    ) -> None:
        super().__init__(num_items=num_items, max_sequence_length=max_sequence_length)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.item_ids = None if item_ids is None else nn.Parameter(item_ids)
        self.id_dropout = id_dropout
        self.anchor: Anchor = anchor

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings of the items themselves, where it has them."""
        added = () if self.item_ids is None else ("item_ids",)
        return added + tuple(f"item_encoder.{one}" for one in self.item_encoder.item_parameters())

    def item_table(self) -> Tensor:
        """Vectors [N, D] of the whole catalogue, row 0 zeros."""
        with inference(self):
            device = next(self.sequence_encoder.parameters()).device
            at_once = self.item_encoder.items_at_once
            return table_in_chunks(self._vectors, self.num_items, device, at_once)

    def encode(self, history: History) -> Tensor:
        """State after the last real item; [B, D]."""
        with inference(self):
            packing = Packing.of(history.items)
            unique, index = torch.unique(packing.pack(history.items), return_inverse=True)
            return self._states(self._vectors(unique), index, packing, packing.last_tokens())

    def encode_by(self, table: Tensor, history: History) -> Tensor:
        """The same state, of items that are not encoded again."""
        with inference(self):
            packing = Packing.of(history.items)
            index = packing.pack(history.items)
            return self._states(table, index, packing, packing.last_tokens())

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """States at the positions, and all vectors."""
        vectors = self._with_ids(self.item_encoder.encode_all(), None)  # [N, D]
        packing = Packing.of(items)
        samples = packing.tokens_at(rows, columns)
        return QueriesAndTable(
            self._states(vectors, packing.pack(items), packing, samples), vectors
        )

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """States at the positions and the candidates' vectors; other items are not encoded."""
        packing = Packing.of(items)
        unique, tokens, wanted = distinct(packing.pack(items), candidates)
        vectors = self._vectors(unique)
        queries = self._states(vectors, tokens, packing, packing.tokens_at(rows, columns))
        return QueriesAndCandidates(queries, F.embedding(wanted, vectors))

    def ids_and_content(self, items: Tensor) -> IdsAndContent:
        """Embeddings of the IDs of items [n] and vectors of their content, not yet added up."""
        assert self.item_ids is not None
        return IdsAndContent(F.embedding(items, self.item_ids), self.item_encoder.encode(items))

    def _vectors(self, items: Tensor) -> Tensor:
        return self._with_ids(self.item_encoder.encode(items), items)  # [n, D]

    def _with_ids(self, vectors: Tensor, items: Tensor | None) -> Tensor:
        factors = None if self.id_dropout is None else self.id_dropout(items)
        return with_ids(vectors, self.item_ids, items, factors)

    def _states(self, vectors: Tensor, index: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        """States [n, D] at the sampled tokens; `index` [T] says which vector a token is."""
        tokens = F.embedding(index, vectors)  # [T, D]
        return states_at(self.sequence_encoder, tokens, packing, samples, anchor=self.anchor)
