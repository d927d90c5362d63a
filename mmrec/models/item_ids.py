"""What models that know items by their IDs alone share: one embedding each, read and scored.

Shapes: B users, L sequence length, T tokens (real positions), N items incl. padding,
n samples, c candidates, D embedding_dim.
"""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.candidates import looked_up
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.packing import Packing
from mmrec.nn.scoring import unit
from mmrec.recommender import History, inference


class ItemIdModel(NextItemModel):
    """Inner product of the last state and the item's embedding; subclasses give the states."""

    def __init__(
        self,
        item_ids: Tensor,
        *,
        max_sequence_length: int,
        output_ids: Tensor | None = None,
        temperature: float | None = None,
    ) -> None:
        """Take the initial embeddings [N, D], and others to score by if not the same.

        With a temperature, scores are cosines divided by it.
        """
        super().__init__(num_items=len(item_ids), max_sequence_length=max_sequence_length)
        self.item_ids = nn.Parameter(item_ids)
        self.output_ids = None if output_ids is None else nn.Parameter(output_ids)
        self.temperature = temperature

    @abstractmethod
    def _states(self, vectors: Tensor, packing: Packing, samples: Tensor) -> Tensor:
        """States [n, D] at the tokens `samples` [n], of embeddings [T, D]."""

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings."""
        return ("item_ids",) if self.output_ids is None else ("item_ids", "output_ids")

    def item_table(self) -> Tensor:
        """Item embeddings [N, D], row 0 zeros."""
        table = self._candidates(self._scored()).detach().clone()
        table[0] = 0
        return table

    def encode(self, history: History) -> Tensor:
        """State after the last real item; [B, D]."""
        items = history.items
        with inference(self):
            packing = Packing.of(items)
            vectors = F.embedding(packing.pack(items), self.item_ids)  # [T, D]
            return self._query(self._states(vectors, packing, packing.last_tokens()))

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """States at the positions and the table that is scored."""
        packing = Packing.of(items)
        vectors = F.embedding(packing.pack(items), self.item_ids)  # [T, D]
        states = self._states(vectors, packing, packing.tokens_at(rows, columns))
        return QueriesAndTable(self._query(states), self._candidates(self._scored()))

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """States at the positions and the candidates' rows; other rows are not read."""
        packing = Packing.of(items)
        tokens = packing.pack(items)
        if self.output_ids is None:
            vectors, of_candidates = looked_up(tokens, candidates, self.item_ids)
        else:
            vectors = F.embedding(tokens, self.item_ids)  # [T, D]
            of_candidates = F.embedding(candidates, self.output_ids)  # [c, D]
        states = self._states(vectors, packing, packing.tokens_at(rows, columns))
        return QueriesAndCandidates(self._query(states), self._candidates(of_candidates))

    def _query(self, states: Tensor) -> Tensor:
        return states if self.temperature is None else unit(states) / self.temperature

    def _candidates(self, embeddings: Tensor) -> Tensor:
        return embeddings if self.temperature is None else unit(embeddings)

    def _scored(self) -> nn.Parameter:
        return self.item_ids if self.output_ids is None else self.output_ids
