"""MMSRec as one writes it down first: left-padded, both slots of every step, masks, no fused loss.

Shapes: B rows, L steps of a row, N items incl. padding (so that N is the mask), d feature width,
D embedding_dim, H heads, n masked positions; 2 slots of a step: text, image.

It computes with weights by name, those of the fast form or any others, so that values, gradients
and times can be compared. The catalogue's features are mapped once per step, and every item goes
through the item tower, as a row of one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.params.training import Modality

MODALITIES: tuple[Modality, ...] = ("text", "image")
LAYER_NORM_EPS = 1e-5


@dataclass(frozen=True)
class Settings:
    """What the weights do not say.

    Attributes:
        num_heads: H.
        temperature: cosines are divided by it.
        missing: `exclude` hides the slot of a modality that an item lacks, `mask_token` has the
            vector of the mask in it.
        padded_to: L, or None for the longest row of each batch.
        item_tower_position: whether an item by itself has the first position, or none.
        item_head: `self_tower`, or `table` for items that skip the transformer.
        input_dropout: of what enters the first layer.
        dropout: of what attention and feed-forward nets add.
        attention_dropout: of the attention weights.
    """

    num_heads: int
    temperature: float = 0.05
    missing: Literal["exclude", "mask_token"] = "exclude"
    padded_to: int | None = None
    item_tower_position: bool = True
    item_head: Literal["self_tower", "table"] = "self_tower"
    input_dropout: float = 0.0
    dropout: float = 0.0
    attention_dropout: float = 0.0


@dataclass(frozen=True)
class Catalogue:
    """What is known of the items.

    Attributes:
        features: [N, d] by modality, zeros where an item has none.
        present: [N] by modality, where it has.
    """

    features: Mapping[Modality, Tensor]
    present: Mapping[Modality, Tensor]

    @classmethod
    def of(cls, tables: Mapping[Modality, FeatureTable], num_items: int) -> Catalogue:
        """The mean of each item's rows; a modality without a table is one that nobody has."""
        features, present = {}, {}
        for name in MODALITIES:
            vectors = torch.zeros(num_items, tables[name].dim if name in tables else 1)
            counts = torch.zeros(num_items, dtype=torch.int64)
            if name in tables:
                counts = tables[name].counts
                for item in counts.nonzero().squeeze(1).tolist():
                    first, end = tables[name].offsets[item : item + 2].tolist()
                    vectors[item] = tables[name].vectors[first:end].float().mean(dim=0)
            features[name], present[name] = vectors, counts > 0
        return cls(features, present)


@dataclass(frozen=True)
class StraightforwardMmsrec:
    """The network over a catalogue, with these weights."""

    weights: Mapping[str, Tensor]
    catalogue: Catalogue
    settings: Settings

    def loss(self, items: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy at all targets of right-padded rows [B, L], among all items."""
        lengths = (items != 0).sum(dim=1)
        items, targets = left_padded(items, lengths), left_padded(targets, lengths)
        slots, present = self.slots()  # [N + 1, 2, D], [N + 1, 2]
        rows, columns = targets.nonzero(as_tuple=True)  # [n]
        states = self.states(items, slots, present)[rows, columns + self._added(items)]  # [n, D]
        logits = self._cosines(states, self.item_vectors(slots, present))  # [n, N - 1]
        return F.cross_entropy(logits / self.settings.temperature, targets[rows, columns] - 1)

    def scores(self, histories: Tensor) -> Tensor:
        """Of items 1 and up at a mask behind right-padded histories [B, L]; [B, N - 1]."""
        slots, present = self.slots()
        masks = histories.new_full((len(histories), 1), len(slots) - 1)
        lengths = (histories != 0).sum(dim=1)
        items = torch.cat([left_padded(histories, lengths), masks], dim=1)  # [B, L + 1]
        if self.settings.padded_to is None:
            items = items[:, -int((items != 0).sum(dim=1).max()) :]
        else:
            items = items[:, -self.settings.padded_to :]
        states = self.states(items, slots, present)[:, -1]  # [B, D]
        vectors = self.item_vectors(slots, present)
        return self._cosines(states, vectors) / self.settings.temperature

    def slots(self) -> tuple[Tensor, Tensor]:
        """Vectors of all items, padding and the mask; [N + 1, 2, D], and which count [N + 1, 2]."""
        mask, absent = self._weight("item_encoder.mask_vector", "item_encoder.absent_vector")
        present = torch.stack([self.catalogue.present[name] for name in MODALITIES], dim=1)
        vectors = torch.stack([self._mapped(name) for name in MODALITIES], dim=1)  # [N, 2, D]
        if self.settings.missing == "mask_token":
            vectors = torch.where(present.unsqueeze(2), vectors, mask)
        has_nothing = ~present.any(dim=1)
        vectors = torch.where(has_nothing[:, None, None], absent, vectors)
        every = torch.ones_like(present)
        if self.settings.missing == "exclude":
            present = torch.where(has_nothing.unsqueeze(1), every, present)
        else:
            present = every
        present = present & (torch.arange(len(present), device=present.device) > 0).unsqueeze(1)
        vectors = torch.cat([vectors, mask.expand(1, 2, -1)])
        return vectors, torch.cat([present, every[:1]])

    def states(self, items: Tensor, slots: Tensor, present: Tensor) -> Tensor:
        """State of every step of left-padded rows; [B, L] -> [B, L', D], L' what they pad to."""
        items = F.pad(items, (self._added(items), 0))
        positions = self.weights["sequence_encoder.positions"]
        table = positions[: items.shape[1]]
        return self._transformed(slots[items], present[items], table)

    def item_vectors(self, slots: Tensor, present: Tensor) -> Tensor:
        """What items 1 and up are scored by; [N - 1, D]."""
        slots, present = slots[1:-1], present[1:-1]
        if self.settings.item_head == "table":
            return self._heads(slots, present)
        positions = self.weights["sequence_encoder.positions"][:1]
        if not self.settings.item_tower_position:
            positions = torch.zeros_like(positions)
        return self._transformed(slots.unsqueeze(1), present.unsqueeze(1), positions)[:, 0]

    def _added(self, items: Tensor) -> int:
        """Padding that rows get on the left, beyond the longest of them."""
        return max((self.settings.padded_to or 0) - items.shape[1], 0)

    def _transformed(self, slots: Tensor, present: Tensor, positions: Tensor) -> Tensor:
        """[B, L, 2, D], [B, L, 2] and [L, D] to [B, L, D]."""
        inputs = slots + positions.unsqueeze(1) + self.weights["modality_types"]
        inputs = self._norm("sequence_encoder.input_norm", inputs)
        states = self._dropped(inputs, self.settings.input_dropout).flatten(1, 2)  # [B, 2L, D]
        hidden = torch.zeros_like(present.flatten(1), dtype=states.dtype)
        hidden = hidden.masked_fill(~present.flatten(1), -torch.inf)[:, None, None]  # [B, 1, 1, 2L]
        layer = 0
        while f"sequence_encoder.layers.{layer}.expand.weight" in self.weights:
            states = self._layer(f"sequence_encoder.layers.{layer}", states, hidden)
            layer += 1
        states = self._norm("output_norm", states)
        return self._heads(states.view(*present.shape, -1), present)

    def _layer(self, name: str, states: Tensor, hidden: Tensor) -> Tensor:
        drop = self.settings.dropout
        attended = self._attention(f"{name}.attention", states, hidden)
        states = self._norm(f"{name}.attention_norm", states + self._dropped(attended, drop))
        inner = F.gelu(self._linear(f"{name}.expand", states))
        inner = self._linear(f"{name}.contract", inner)
        return self._norm(f"{name}.feedforward_norm", states + self._dropped(inner, drop))

    def _attention(self, name: str, states: Tensor, hidden: Tensor) -> Tensor:
        query, key, value = (
            part.view(*part.shape[:2], self.settings.num_heads, -1).transpose(1, 2)
            for part in self._linear(f"{name}.query_key_value", states).chunk(3, dim=-1)
        )  # [B, H, 2L, D / H]
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + hidden  # [B, H, 2L, 2L]
        weights = self._dropped(scores.softmax(dim=-1), self.settings.attention_dropout)
        return self._linear(f"{name}.output", (weights @ value).transpose(1, 2).flatten(2))

    def _heads(self, states: Tensor, present: Tensor) -> Tensor:
        """Output transform of each slot, then the largest value; [..., 2, D] -> [..., D]."""
        transformed = []
        for slot, name in enumerate(MODALITIES):
            output = self._linear(f"heads.{name}.project", states[..., slot, :])
            transformed.append(self._norm(f"heads.{name}.norm", output))
        # Padded steps have no slot that counts; nobody reads their state.
        lowest = torch.stack(transformed, dim=-2).masked_fill(~present.unsqueeze(-1), -1e4)
        return lowest.amax(dim=-2)

    def _mapped(self, name: Modality) -> Tensor:
        """Input transform of a modality; [N, d] -> [N, D]."""
        features, mask = self.catalogue.features[name], self.weights["item_encoder.mask_vector"]
        if not self.catalogue.present[name].any():  # and so it may have no weights
            return mask.new_zeros(len(features), len(mask))
        mapped = self._linear(f"item_encoder.{name}.project", features.to(mask.dtype))
        return self._norm(f"item_encoder.{name}.norm", mapped)

    def _cosines(self, states: Tensor, vectors: Tensor) -> Tensor:
        return F.normalize(states, dim=1, eps=1e-6) @ F.normalize(vectors, dim=1, eps=1e-6).T

    def _linear(self, name: str, inputs: Tensor) -> Tensor:
        return F.linear(inputs, *self._weight(f"{name}.weight", f"{name}.bias"))

    def _norm(self, name: str, inputs: Tensor) -> Tensor:
        weight, bias = self._weight(f"{name}.weight", f"{name}.bias")
        return F.layer_norm(inputs, weight.shape, weight, bias, LAYER_NORM_EPS)

    def _weight(self, first: str, second: str) -> tuple[Tensor, Tensor]:
        return self.weights[first], self.weights[second]

    def _dropped(self, values: Tensor, drop: float) -> Tensor:
        return F.dropout(values, drop, training=drop > 0)


def left_padded(rows: Tensor, lengths: Tensor) -> Tensor:
    """Rows [B, L] of these lengths [B] with their padding on the left, and not on the right."""
    columns = torch.arange(rows.shape[1], device=rows.device) - (rows.shape[1] - lengths)[:, None]
    return torch.where(columns >= 0, rows.gather(1, columns.clamp(min=0)), 0)
