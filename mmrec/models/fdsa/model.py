"""FDSA: a transformer over item IDs beside one over item features.

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding, n samples or
items asked for, c candidates, M modalities, D embedding_dim.

Zhang et al., "Feature-level Deeper Self-Attention Network for Sequential Recommendation", in the
form of RecBole and of MP4SR's authors.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.candidates import looked_up
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.nn.transformer import TransformerLayers, initialise
from mmrec.recommender import History, inference


class FieldAttention(nn.Module):
    """Weighted sum over an item's fields, weights softmax(w2 ReLU(W1 x)); [n, M, D] -> [n, D]."""

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(embedding_dim, embedding_dim)
        self.score = nn.Linear(embedding_dim, 1)
        initialise(self, "normal")

    def forward(self, fields: Tensor) -> Tensor:
        """Pool; of one field it is the field itself."""
        scores: Tensor = self.score(F.relu(self.hidden(fields)))  # [n, M, 1]
        return (scores.softmax(dim=1) * fields).sum(dim=1)


class Fdsa(NextItemModel):
    """Inner product of the two streams' last states, joined, and the item's ID embedding.

    Both streams have the same positions, and the same norm and dropout before their layers; as in
    RecBole that norm and dropout follow the join, too. Features are read and not scored.

    Args:
        item_encoder: Embeds items by their features.
        sequence_encoder: Of the stream of IDs.
        feature_layers: Of the stream of features.
        num_items: N, padding included.
        embedding_dim: D.
        max_sequence_length: Latest items of a history that it reads.
    """

    def __init__(
        self,
        item_encoder: ItemEncoder,
        sequence_encoder: SequenceEncoder,
        feature_layers: TransformerLayers,
        *,
        num_items: int,
        embedding_dim: int,
        max_sequence_length: int,
    ) -> None:
        super().__init__(num_items=num_items, max_sequence_length=max_sequence_length)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.feature_layers = feature_layers
        self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim).normal_(std=0.02))
        self.join = nn.Linear(2 * embedding_dim, embedding_dim)
        initialise(feature_layers, "normal")
        initialise(self.join, "normal")

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings of the items themselves."""
        return ("item_ids",)

    def item_table(self) -> Tensor:
        """ID embeddings [N, D], row 0 zeros."""
        table = self.item_ids.detach().clone()
        table[0] = 0
        return table

    def encode(self, history: History) -> Tensor:
        """Joined states after the last real item; [B, D]."""
        with inference(self):
            packing = Packing.of(history.items)
            tokens = packing.pack(history.items)
            ids = F.embedding(tokens, self.item_ids)  # [T, D]
            return self._states(ids, tokens, packing, packing.last_tokens())

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """Joined states at the positions, and the ID embeddings."""
        packing = Packing.of(items)
        tokens = packing.pack(items)
        ids = F.embedding(tokens, self.item_ids)  # [T, D]
        queries = self._states(ids, tokens, packing, packing.tokens_at(rows, columns))
        return QueriesAndTable(queries, self.item_ids)

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """Joined states at the positions, and the candidates' ID embeddings."""
        packing = Packing.of(items)
        tokens = packing.pack(items)
        ids, of_candidates = looked_up(tokens, candidates, self.item_ids)
        queries = self._states(ids, tokens, packing, packing.tokens_at(rows, columns))
        return QueriesAndCandidates(queries, of_candidates)

    def _states(self, ids: Tensor, tokens: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        """Joined states [n, D] at the sampled tokens, of ID embeddings [T, D] and items [T]."""
        unique, index = torch.unique(tokens, return_inverse=True)
        features = F.embedding(index, self.item_encoder.encode(unique))  # [T, D]
        streams = self.sequence_encoder.first_states(torch.stack([ids, features]), packing)
        of_ids, of_features = streams.tensor_split(2)  # [1, T, D] each
        states = [
            self.sequence_encoder.layers(of_ids, packing, samples)[0],
            self.feature_layers(of_features, packing, samples)[0],
        ]  # [n, D] each
        joined: Tensor = self.join(torch.cat(states, dim=1))
        return self.sequence_encoder.normed(joined)  # [n, D]
