"""MP4SR: text and image streams through one causal transformer, scored against two item tables.

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding, n samples or
items asked for, D embedding_dim, S streams (one per modality), C catalogue chunk, c candidates.

Zhang et al., "Multimodal Pre-training Framework for Sequential Recommendation via Contrastive
Learning" (MP4SR).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.aligned import IdsAndContent
from mmrec.models.candidates import distinct
from mmrec.models.item_table import table_in_chunks
from mmrec.models.items.own_ids import IdDropout, with_ids
from mmrec.models.mp4sr.items import ItemEncoder, Modality
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.packing import Packing
from mmrec.nn.scoring import unit
from mmrec.nn.sequence_encoder import SequenceEncoder
from mmrec.recommender import History, inference

Similarity = Literal["cosine", "dot"]
ExpertDraws = Literal["item", "place"]


class Mp4sr(NextItemModel):
    """Two-stream recommender on frozen features, with or without item IDs.

    A stream is the sequence of one modality's item embeddings. Both streams pass through the
    same transformer; the score of an item is the sum of the streams' similarities to it.

    Args:
        item_encoder: Embeds items by their features.
        sequence_encoder: Shared by the streams.
        num_items: N, padding included.
        embedding_dim: Width of the item embeddings.
        scored: Modalities that take part in scores and in the fine-tuning loss.
        use_id: Add an embedding of the item itself to inputs and candidates.
        id_dropout: Which items go without theirs; None: no item does.
        similarity: Cosine over temperature (the authors' code) or inner product (eq. 12).
        ranked_by: The similarity of scores outside training.
        temperature: Divides cosines; unused by `dot`.
        draws: Whether an item or each place of a history has a dropout draw of the adaptor.
        max_sequence_length: Latest items of a history that it reads.
    """

    def __init__(
        self,
        item_encoder: ItemEncoder,
        sequence_encoder: SequenceEncoder,
        *,
        num_items: int,
        embedding_dim: int,
        scored: Sequence[Modality],
        use_id: bool,
        id_dropout: IdDropout | None,
        similarity: Similarity,
        ranked_by: Similarity,
        temperature: float,
        draws: ExpertDraws,
        max_sequence_length: int,
    ) -> None:
        super().__init__(num_items=num_items, max_sequence_length=max_sequence_length)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.scored = tuple(scored)
        self.similarity: Similarity = similarity
        self.ranked_by: Similarity = ranked_by
        self.draws: ExpertDraws = draws
        self.temperature = temperature
        self.id_dropout = id_dropout
        self.item_ids: nn.Parameter | None = None
        if use_id:
            self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim).normal_(std=0.02))

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings of the items themselves, where it has them."""
        return () if self.item_ids is None else ("item_ids",)

    def item_table(self) -> Tensor:
        """Candidates [N, S * D] of the whole catalogue, the streams side by side."""
        with inference(self):
            device = self.sequence_encoder.positions.device
            return table_in_chunks(
                lambda items: self._candidates(self._streams(items), self.ranked_by),
                self.num_items,
                device,
            )

    def encode(self, history: History) -> Tensor:
        """Query [B, S * D] after the last real item, 1 / temperature included."""
        items = history.items
        with inference(self):
            packing = Packing.of(items)
            unique, index = torch.unique(packing.pack(items), return_inverse=True)  # [n], [T]
            tokens = self._of_tokens(self._streams(unique), index)
            return self._queries(tokens, packing, packing.last_tokens(), self.ranked_by)

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """Both factors of the scores; the catalogue is encoded once, for inputs and candidates.

        So an item has one draw of the adaptor's dropout in a step, wherever it occurs, unless
        each place draws; the paper does not say.
        """
        streams = self._with_ids([self.item_encoder.encode_all(name) for name in self.scored], None)
        packing = Packing.of(items)
        index = packing.pack(items)  # [T]
        tokens = self._of_places(index) if self._places_draw() else self._of_tokens(streams, index)
        samples = packing.tokens_at(rows, columns)
        queries = self._queries(tokens, packing, samples, self.similarity)
        return QueriesAndTable(queries, self._candidates(streams, self.similarity))

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """The same among the candidates; an item is encoded once, as input and as candidate.

        Where each place draws, candidates have draws of their own, an item one.
        """
        packing = Packing.of(items)
        packed, samples = packing.pack(items), packing.tokens_at(rows, columns)
        if self._places_draw():
            unique, wanted = torch.unique(candidates, return_inverse=True)
            streams = self._streams(unique)
            tokens = self._of_places(packed)
        else:
            unique, index, wanted = distinct(packed, candidates)
            streams = self._streams(unique)
            tokens = self._of_tokens(streams, index)
        chosen = [F.embedding(wanted, stream) for stream in streams]
        queries = self._queries(tokens, packing, samples, self.similarity)
        return QueriesAndCandidates(queries, self._candidates(chosen, self.similarity))

    def modality_tokens(self, modality: Modality, items: Tensor) -> Tensor:
        """ID-free embeddings of the items [T] at the places of histories; [T, D]."""
        if self._places_draw():
            return self.item_encoder.encode_each(modality, items)
        unique, index = torch.unique(items, return_inverse=True)  # [n], [T]
        return F.embedding(index, self.item_encoder.encode(modality, unique))

    def ids_and_content(self, items: Tensor) -> IdsAndContent:
        """Embeddings of the IDs of items [n], and the sum of what their modalities give."""
        assert self.item_ids is not None
        content = [self.item_encoder.encode(name, items) for name in self.scored]
        return IdsAndContent(F.embedding(items, self.item_ids), torch.stack(content).sum(dim=0))

    def _places_draw(self) -> bool:
        return self.draws == "place" and self.training

    def _of_places(self, items: Tensor) -> Tensor:
        """Streams of packed items [T], each with a draw of its own; [S, T, D]."""
        tokens = [self.modality_tokens(name, items) for name in self.scored]
        return torch.stack(self._with_ids(tokens, items))

    def _of_tokens(self, streams: list[Tensor], index: Tensor) -> Tensor:
        """Streams of items at the tokens; `index` [T] says which item a token is; [S, T, D]."""
        return torch.stack([F.embedding(index, stream) for stream in streams])

    def _streams(self, items: Tensor) -> list[Tensor]:
        return self._with_ids(
            [self.item_encoder.encode(name, items) for name in self.scored], items
        )

    def _with_ids(self, streams: list[Tensor], items: Tensor | None) -> list[Tensor]:
        """Each stream's vectors with the items' IDs; what goes without does so in all streams."""
        factors = None if self.id_dropout is None else self.id_dropout(items)
        return [with_ids(stream, self.item_ids, items, factors) for stream in streams]

    def _queries(
        self, tokens: Tensor, packing: Packing, samples: Tensor, similarity: Similarity
    ) -> Tensor:
        """Queries [n, S * D] after the sampled ones of the tokens [S, T, D]."""
        states = self.sequence_encoder(tokens, packing, samples)  # [S, n, D]
        if similarity == "cosine":
            states = unit(states) / self.temperature
        return torch.cat(torch.unbind(states), dim=1)  # [n, S * D]

    def _candidates(self, streams: list[Tensor], similarity: Similarity) -> Tensor:
        if similarity == "dot":
            return torch.cat(streams, dim=1)  # [C, S * D]
        return torch.cat([unit(stream) for stream in streams], dim=1)  # [C, S * D]
