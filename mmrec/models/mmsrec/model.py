"""MMSRec: one transformer over the modalities of items, of a history and of an item by itself.

Song et al., "Self-Supervised Multi-Modal Sequential Recommendation" (2023).

Shapes: B users, L sequence length, T tokens (a place of a step that holds a vector), N items incl.
padding, M modalities, S draws of dropout, u unique items, n samples or items asked for,
c candidates, D embedding_dim.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.candidates import distinct
from mmrec.models.item_table import table_in_chunks
from mmrec.models.masked_item import with_mask_behind
from mmrec.models.mmsrec.items import MODALITIES, NORM_EPS, ModalityEncoder, NormedMap
from mmrec.models.next_item import NextItemModel, QueriesAndCandidates, QueriesAndTable
from mmrec.nn.scoring import unit
from mmrec.nn.sequence_encoder import Anchor, SequenceEncoder
from mmrec.nn.slot_packing import SlotPacking, StepTokens, step_max
from mmrec.recommender import History, inference

ItemHead = Literal["self_tower", "table"]
BOTH = (True, True)


class Mmsrec(NextItemModel):
    """Cosine of the state at a mask and the item's own state, divided by a temperature.

    After a history comes a mask, so that a history may be one item shorter than the sequences
    that are trained.

    Args:
        item_encoder: Vectors of the modalities.
        sequence_encoder: Of both directions, over histories and over items by themselves.
        max_sequence_length: Of the encoder, the mask included; at least 2.
        temperature: What cosines are divided by.
        anchor: Where positions of a history are counted from.
        item_anchor: The same of an item by itself.
        item_head: Whether an item is scored by its state, or by its vectors before the encoder.
    """

    def __init__(
        self,
        item_encoder: ModalityEncoder,
        sequence_encoder: SequenceEncoder,
        *,
        max_sequence_length: int,
        temperature: float,
        anchor: Anchor,
        item_anchor: Anchor,
        item_head: ItemHead,
    ) -> None:
        num_items, width = item_encoder.num_items, len(item_encoder.mask_vector)
        super().__init__(num_items=num_items, max_sequence_length=max_sequence_length - 1)
        self.item_encoder = item_encoder
        self.sequence_encoder = sequence_encoder
        self.modality_types = nn.Parameter(torch.empty(len(MODALITIES), width).normal_(std=0.02))
        self.output_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.heads = nn.ModuleDict({name: NormedMap(width, width) for name in MODALITIES})
        self.temperature = temperature
        self.anchor: Anchor = anchor
        self.item_anchor: Anchor = item_anchor
        self.item_head: ItemHead = item_head
        _start_as_torch_does(sequence_encoder)

    def item_table(self) -> Tensor:
        """Directions [N, D] of the whole catalogue, row 0 zeros."""
        with inference(self):
            device = self.item_encoder.mask_vector.device
            return table_in_chunks(self._directions, self.num_items, device)

    def encode(self, history: History) -> Tensor:
        """Direction of the state at a mask after the last real item, over the temperature."""
        items = with_mask_behind(history.items, self.num_items)
        lengths = (items != 0).sum(dim=1)
        items = items[:, : int(lengths.max())]
        with inference(self):
            rows = torch.arange(len(items), device=items.device)
            unique, index = torch.unique(items, return_inverse=True)
            vectors = self.item_encoder.encode(unique)  # [u, M, D]
            return self._queries(vectors, index, items, rows, lengths - 1)

    def queries_and_table(self, items: Tensor, rows: Tensor, columns: Tensor) -> QueriesAndTable:
        """Queries at the positions and the directions of all items; `items` may hold masks.

        The vectors of an item are mapped once, for histories and as a candidate.
        """
        every = torch.arange(self.num_items + 1, device=items.device)
        vectors = self.item_encoder.encode(every)  # [N + 1, M, D]
        queries = self._queries(vectors, items, items, rows, columns)
        return QueriesAndTable(queries, unit(self._states_of_items(every[:-1], vectors[:-1])))

    def queries_and_candidates(
        self, items: Tensor, rows: Tensor, columns: Tensor, candidates: Tensor
    ) -> QueriesAndCandidates:
        """The same queries, and the candidates' directions; other items are not encoded."""
        wanted = distinct(items.flatten(), candidates)
        vectors = self.item_encoder.encode(wanted.items)  # [u, M, D]
        queries = self._queries(vectors, wanted.tokens.view_as(items), items, rows, columns)
        own = F.embedding(wanted.candidates, vectors.flatten(1)).view(-1, *vectors.shape[1:])
        return QueriesAndCandidates(queries, unit(self._states_of_items(candidates, own)))

    def states_by_modality(
        self, items: Tensor, reads: tuple[bool, ...], *, num_draws: int = 1
    ) -> Tensor:
        """States of items [n] by themselves, of some of their modalities alone; [S, n, D].

        Args:
            items: [n].
            reads: by modality.
            num_draws: S, of dropout.
        """
        return self._tower(items, self.item_encoder.encode(items, reads), reads, num_draws)

    def _directions(self, items: Tensor) -> Tensor:
        return unit(self._states_of_items(items, self.item_encoder.encode(items)))

    def _states_of_items(self, items: Tensor, vectors: Tensor) -> Tensor:
        """What items [n] are scored by, of their vectors [n, M, D]; [n, D]."""
        if self.item_head == "self_tower":
            return self._tower(items, vectors, BOTH, 1)[0]
        packing = self._packing(items.unsqueeze(1), BOTH)
        steps = packing.all_steps()
        tokens = vectors.flatten(0, 1)[packing.packing.places]  # [T, D]
        return self._by_step(tokens.unsqueeze(0), steps)[0]

    def _tower(
        self, items: Tensor, vectors: Tensor, reads: tuple[bool, ...], num_draws: int
    ) -> Tensor:
        """States of items as sequences of one step; [S, n, D]."""
        packing = self._packing(items.unsqueeze(1), reads)
        tokens = vectors.flatten(0, 1)[packing.packing.places]  # [T, D]
        steps = packing.all_steps()
        return self._encoded(tokens, packing, steps, self.item_anchor, num_draws)

    def _queries(
        self, vectors: Tensor, index: Tensor, items: Tensor, rows: Tensor, columns: Tensor
    ) -> Tensor:
        """Queries [n, D] at the positions.

        Args:
            vectors: [u, M, D].
            index: [B, L] which of them an item is.
            items: [B, L].
            rows: [n].
            columns: [n].
        """
        packing = self._packing(items, BOTH)
        places, modalities = packing.packing.places, packing.modalities
        of_token = index.flatten()[places // len(MODALITIES)] * len(MODALITIES) + modalities
        tokens = F.embedding(of_token, vectors.flatten(0, 1))  # [T, D]
        steps = packing.tokens_at(rows, columns)
        states = self._encoded(tokens, packing, steps, self.anchor, 1)[0]
        return unit(states) / self.temperature

    def _packing(self, items: Tensor, reads: tuple[bool, ...]) -> SlotPacking:
        held = self.item_encoder.held(items.flatten(), reads)
        packing = SlotPacking.of(items, held.view(*items.shape, -1))
        # Of several processes one may not have the longest row; all rows are as wide as it is.
        return replace(packing, packing=replace(packing.packing, longest=items.shape[1]))

    def _encoded(
        self,
        tokens: Tensor,
        packing: SlotPacking,
        steps: StepTokens,
        anchor: Anchor,
        num_draws: int,
    ) -> Tensor:
        """States of steps, of their tokens' vectors [T, D] in the transformer; [S, n, D]."""
        inputs = tokens + F.embedding(packing.modalities, self.modality_types)
        inputs = inputs.expand(num_draws, -1, -1)  # [S, T, D]
        states = self.sequence_encoder(inputs, packing.packing, steps.samples, anchor=anchor)
        return self._by_step(self.output_norm(states), steps)

    def _by_step(self, states: Tensor, steps: StepTokens) -> Tensor:
        """Each modality through its head, then the largest of a step; [S, t, D] -> [S, n, D]."""
        mapped = states.new_empty(states.shape)
        for place, name in enumerate(MODALITIES):
            own = (steps.modalities == place).nonzero().squeeze(1)
            mapped = mapped.index_copy(1, own, self.heads[name](states.index_select(1, own)))
        absent = self.item_encoder.absent_vector  # of padding, which has no token
        return torch.stack([step_max(draw, steps, absent) for draw in mapped])


def _start_as_torch_does(encoder: SequenceEncoder) -> None:
    """As `nn.TransformerEncoder`, which the released code is made of, starts.

    The maps to queries, keys and values are Xavier-uniform, and all layers are copies of one.
    """
    first, *others = encoder.layers
    nn.init.xavier_uniform_(first.get_parameter("attention.query_key_value.weight"))
    for layer in others:
        layer.load_state_dict(first.state_dict())
