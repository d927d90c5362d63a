"""PMMRec's network as one writes it down first: every slot encoded, padding, masks.

Shapes: B users, L + 1 slots of a window, padded on the left, S = B * (L + 1) slots of the batch;
N items incl. padding, P tokens of a padded content, d width of a state, D embedding_dim, H heads.

It computes with weights by name, those of the fast form or any others, so that values, gradients
and times can be compared. Each slot's text and picture go through the last blocks, whichever item
is in it; padding does, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmrec.params.training import Modality

MODALITIES: tuple[Modality, ...] = ("text", "image")
USER_NORM_EPS, FUSION_NORM_EPS = 1e-6, 1e-12

Blocks = Callable[[Tensor, Tensor], Tensor]
"""States [b, P, d] and their mask [b, P] in, final states out."""


@dataclass(frozen=True)
class Settings:
    """What the weights do not say.

    Attributes:
        user_heads: of the user encoder.
        fusion_heads: of the fusion.
        readout: `cls` fuses a learned token with all but the contents' first tokens, and reads
            it; `mean` fuses all tokens and reads their mean.
        correction: whether the log of an item's share is subtracted from its score.
        contrast: which of the three.
        denominator: of `nicl`.
        temperature: of the contrast.
        nid_relu: whether there is one behind the linear map of NID.
        rcl: cosines over a temperature, or products.
        rcl_temperature: of RCL's cosines.
        dropout: of all but the last blocks.
    """

    user_heads: int
    fusion_heads: int
    readout: Literal["cls", "mean"] = "cls"
    correction: bool = True
    contrast: Literal["nicl", "icl", "vcl"] = "nicl"
    denominator: Literal["all_positives", "literal"] = "all_positives"
    temperature: float = 0.07
    nid_relu: bool = False
    rcl: Literal["normalised", "raw"] = "normalised"
    rcl_temperature: float = 0.07
    dropout: float = 0.0


class Contents(NamedTuple):
    """Padded states of one modality, a content an item."""

    states: Tensor  # [N, P, d]
    real: Tensor  # [N, P] without any where an item has no content


class Slots(NamedTuple):
    """The batch's slots, encoded; row after row."""

    items: Tensor  # [S]
    vectors: Tensor  # [S, D]
    first_tokens: Mapping[Modality, Tensor]  # [S, D]
    present: Mapping[Modality, Tensor]  # [S]
    in_row: Tensor  # [B, S] whether a slot's item is anywhere in that row
    numbers: Tensor  # [B, L + 1] of each row's slots


@dataclass(frozen=True)
class StraightforwardNetwork:
    """The network over a catalogue, with these weights, and these blocks for each modality."""

    weights: Mapping[str, Tensor]
    blocks: Mapping[Modality, Blocks]
    contents: Mapping[Modality, Contents]
    settings: Settings

    def slots(self, windows: Tensor) -> Slots:
        """Encode every slot of windows [B, L + 1]."""
        items = windows.flatten()  # [S]
        tokens, real = {}, {}
        for name in MODALITIES:
            states, mask = self.contents[name].states[items], self.contents[name].real[items]
            final = self.blocks[name](states, mask)
            tokens[name] = self.linear(f"item_encoder.{name}.projection.output", final)
            real[name] = mask
        numbers = torch.arange(len(items), device=items.device).view_as(windows)
        return Slots(
            items,
            self._fused(tokens, real),
            {name: tokens[name][:, 0] for name in MODALITIES},
            {name: real[name][:, 0] for name in MODALITIES},
            (windows.unsqueeze(2) == items).any(dim=1),
            numbers,
        )

    def _fused(self, tokens: Mapping[Modality, Tensor], real: Mapping[Modality, Tensor]) -> Tensor:
        """Tokens [S, P, D] of both, through one transformer; [S, D]."""
        first = 1 if self.settings.readout == "cls" else 0
        cls = self.weights["item_encoder.fusion.cls"].expand(len(tokens["text"]), 1, -1)
        states = torch.cat([cls, *(tokens[name][:, first:] for name in MODALITIES)], dim=1)
        mask = torch.cat([real[name][:, first:] for name in MODALITIES], dim=1)
        # Where all tokens count, the learned one stands in for those of an item without contents.
        with_cls = torch.ones_like(mask[:, :1]) if first else ~mask.any(dim=1, keepdim=True)
        mask = torch.cat([with_cls, mask], dim=1)
        states = self._layers(
            "item_encoder.fusion.layers",
            states,
            mask[:, None, None],
            heads=self.settings.fusion_heads,
            activation=F.gelu,
            eps=FUSION_NORM_EPS,
        )
        return states[:, 0] if first else mean_of_real(states, mask)

    def states(self, vectors: Tensor, real: Tensor) -> Tensor:
        """States of left-padded rows [B, L, D], real where [B, L] says; the last has row L - 1."""
        positions = self.weights["sequence_encoder.positions"][-vectors.shape[1] :]
        inputs = vectors + positions
        inputs = self._dropped(self._norm("sequence_encoder.input_norm", inputs, USER_NORM_EPS))
        length = vectors.shape[1]
        earlier = torch.ones(length, length, dtype=torch.bool, device=vectors.device).tril()
        # A padded slot sees itself, so that its state is a number, which nobody reads.
        itself = torch.eye(length, dtype=torch.bool, device=vectors.device)
        allowed = (earlier & real[:, None]) | itself  # [B, L, L]
        return self._layers(
            "sequence_encoder.layers",
            inputs,
            allowed.unsqueeze(1),
            heads=self.settings.user_heads,
            activation=F.relu,
            eps=USER_NORM_EPS,
        )

    def _layers(
        self,
        name: str,
        states: Tensor,
        allowed: Tensor,
        *,
        heads: int,
        activation: Callable[[Tensor], Tensor],
        eps: float,
    ) -> Tensor:
        """Post-norm layers over [b, l, D]; `allowed` [b, 1, l or 1, l] says which keys are seen."""
        hidden = torch.zeros_like(allowed, dtype=states.dtype).masked_fill(~allowed, -torch.inf)
        number = 0
        while f"{name}.{number}.expand.weight" in self.weights:
            own = f"{name}.{number}"
            attended = self._attention(f"{own}.attention", states, hidden, heads)
            states = self._norm(f"{own}.attention_norm", states + self._dropped(attended), eps)
            inner = self.linear(f"{own}.contract", activation(self.linear(f"{own}.expand", states)))
            states = self._norm(f"{own}.feedforward_norm", states + self._dropped(inner), eps)
            number += 1
        return states

    def _attention(self, name: str, states: Tensor, hidden: Tensor, heads: int) -> Tensor:
        query, key, value = (
            part.view(*part.shape[:2], heads, -1).transpose(1, 2)
            for part in self.linear(f"{name}.query_key_value", states).chunk(3, dim=-1)
        )  # [b, H, l, D / H]
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + hidden
        weights = self._dropped(scores.softmax(dim=-1))
        return self.linear(f"{name}.output", (weights @ value).transpose(1, 2).flatten(2))

    def linear(self, name: str, inputs: Tensor) -> Tensor:
        """The dense map of that name; [..., D] -> [..., D']."""
        return F.linear(inputs, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def _norm(self, name: str, inputs: Tensor, eps: float) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(inputs, weight.shape, weight, bias, eps)

    def _dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.settings.dropout, training=self.settings.dropout > 0)


def mean_of_real(states: Tensor, real: Tensor) -> Tensor:
    """Over what is real; [b, l, D] and [b, l] -> [b, D]."""
    counted = real.unsqueeze(2)
    return states.masked_fill(~counted, 0.0).sum(dim=1) / counted.sum(dim=1)
