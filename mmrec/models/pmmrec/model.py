"""PMMRec: states over a history of fused items, which its own items are scored by.

Shapes: T tokens (real positions) of a batch [B, L], n items encoded, c candidates, D embedding_dim.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.models.candidates import distinct
from mmrec.models.item_table import ItemTableModel
from mmrec.models.pmmrec.items import PmmrecItemEncoder
from mmrec.nn.packing import Packing
from mmrec.nn.sequence_encoder import SequenceEncoder


class Encoded(NamedTuple):
    """A batch whose items are encoded, each once."""

    packing: Packing
    items: Tensor  # [n] ascending: those of the batch and the candidates
    vectors: Tensor  # [n, D] fused
    states: Tensor  # [T, D] after every position
    candidates: Tensor  # [c, D] fused vectors of the candidates
    text: Tensor | None  # [c, D] their texts alone, 0 without; None where nobody asked
    image: Tensor | None  # [c, D] their pictures alone


class Pmmrec(ItemTableModel):
    """`ItemTableModel` whose training reads more than its scores."""

    item_encoder: PmmrecItemEncoder
    sequence_encoder: SequenceEncoder

    def encode_batch(self, items: Tensor, candidates: Tensor, *, modalities: bool) -> Encoded:
        """States of a batch of items [B, L], and vectors of the candidates [c].

        Args:
            items: right padded with 0.
            candidates: distinct items.
            modalities: their texts and pictures alone, too.
        """
        packing = Packing.of(items)
        every, tokens, wanted = distinct(packing.pack(items), candidates)
        text = image = None
        if modalities:
            found = self.item_encoder.encode_with_modalities(every)  # [n, 3, D]
            vectors, text, image = found.unbind(dim=1)
            text, image = F.embedding(wanted, text), F.embedding(wanted, image)
        else:
            vectors = self.item_encoder.encode(every)
        states = self._all_states(vectors, tokens, packing)
        return Encoded(packing, every, vectors, states, F.embedding(wanted, vectors), text, image)

    def states_of(self, items: Tensor, encoded: Encoded) -> Tensor:
        """States [T, D] of other items [B, L] in the places of a batch, all of them encoded."""
        index = torch.searchsorted(encoded.items, encoded.packing.pack(items))
        return self._all_states(encoded.vectors, index, encoded.packing)

    def _all_states(self, vectors: Tensor, index: Tensor, packing: Packing) -> Tensor:
        tokens = F.embedding(index, vectors)  # [T, D]
        states: Tensor = self.sequence_encoder(tokens.unsqueeze(0), packing, anchor=self.anchor)
        return states[0]
