"""PMMRec's pre-training as one writes it down first: matrices of all slots against all.

Shapes: B users, L + 1 slots of a window, padded on the left, S = B * (L + 1) slots of the batch;
N items incl. padding, D embedding_dim, n anchors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.straightforward_pmmrec_network import (
    MODALITIES,
    Slots,
    StraightforwardNetwork,
    mean_of_real,
)


@dataclass(frozen=True)
class StraightforwardPmmrec:
    """The four losses of a network, whose weights have those of `detection` beside them."""

    network: StraightforwardNetwork
    shares: Tensor  # [N] of the training interactions

    def losses(self, windows: Tensor, corrupted: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """DAP, the contrast, NID and RCL.

        Args:
            windows: [B, L + 1], padded on the left with 0; the last slot is only ever a target.
            corrupted: what became of the L others.
            labels: [B, L] 0 where nothing, 1 shuffled, 2 replaced.
        """
        slots = self.network.slots(windows)
        real = windows[:, :-1] > 0
        states = self.network.states(slots.vectors.view(*windows.shape, -1)[:, :-1], real)
        noised = self.network.states(self._looked_up(slots, corrupted), real)
        return {
            "dap": self._dap(slots, states, real),
            "contrast": self._contrast(slots, windows),
            "nid": self._nid(noised[real], labels[real]),
            "rcl": self._rcl(mean_of_real(states, real), mean_of_real(noised, real)),
        }

    def _looked_up(self, slots: Slots, items: Tensor) -> Tensor:
        """Vectors of items [B, L] that are in slots; [B, L, D]."""
        where = (items.unsqueeze(2) == slots.items).int().argmax(dim=2)
        return slots.vectors[where]

    def _dap(self, slots: Slots, states: Tensor, real: Tensor) -> Tensor:
        logits = states @ slots.vectors.T  # [B, L, S]
        if self.network.settings.correction:
            shares = torch.where(slots.items > 0, self.shares[slots.items], 1.0)
            logits = logits - shares.log().to(logits.dtype)
        hidden = slots.in_row | (slots.items == 0)  # [B, S]
        hidden = hidden.unsqueeze(1).repeat(1, states.shape[1], 1)  # [B, L, S]
        positives = slots.numbers[:, 1:]  # [B, L]
        hidden.scatter_(2, positives.unsqueeze(2), False)
        return F.cross_entropy(logits.masked_fill(hidden, -torch.inf)[real], positives[real])

    def _contrast(self, slots: Slots, windows: Tensor) -> Tensor:
        """Both directions of each anchor, with matrices of all slots against all."""
        complete = slots.present["text"] & slots.present["image"]  # [S]
        anchors = (windows[:, :-1] > 0) & (windows[:, 1:] > 0)
        anchors &= complete.view_as(windows)[:, :-1]
        rows, columns = anchors.nonzero(as_tuple=True)  # [n]
        own, following = slots.numbers[rows, columns], slots.numbers[rows, columns + 1]
        text, image = (F.normalize(slots.first_tokens[name], dim=1) for name in MODALITIES)
        losses = [
            self._direction(slots, rows, own, following, vectors, present)
            for vectors, present in (
                ((text, image), (slots.present["text"], slots.present["image"])),
                ((image, text), (slots.present["image"], slots.present["text"])),
            )
        ]
        return torch.stack(losses).mean()

    def _direction(
        self,
        slots: Slots,
        rows: Tensor,
        own: Tensor,
        following: Tensor,
        vectors: tuple[Tensor, Tensor],
        present: tuple[Tensor, Tensor],
    ) -> Tensor:
        kind = self.network.settings.contrast
        is_first = (slots.items.unsqueeze(1) == slots.items).int().argmax(dim=1)
        is_first = is_first == torch.arange(len(slots.items), device=rows.device)
        may = ~slots.in_row & is_first & (slots.items > 0)  # [B, S]
        intra, inter = (
            (vectors[0] @ others.T / self.network.settings.temperature)[own] for others in vectors
        )  # [n, S] each
        first = inter.gather(1, own.unsqueeze(1))  # [n, 1]
        positives, negatives = [first], [inter.masked_fill(~(may & present[1])[rows], -torch.inf)]
        if kind != "vcl":
            negatives.append(intra.masked_fill(~(may & present[0])[rows], -torch.inf))
        if kind == "nicl":
            differs = slots.items[own] != slots.items[following]
            for likeness, there in ((inter, present[1]), (intra, present[0])):
                chosen = likeness.gather(1, following.unsqueeze(1))
                none = ~(differs & there[following]).unsqueeze(1)
                positives.append(chosen.masked_fill(none, -torch.inf))
        counted = [first] if self.network.settings.denominator == "literal" else positives
        below = torch.cat([*counted, *negatives], dim=1).logsumexp(dim=1)
        return (below - torch.cat(positives, dim=1).logsumexp(dim=1)).mean()

    def _nid(self, states: Tensor, labels: Tensor) -> Tensor:
        logits = self.network.linear("detection.output", states)
        return F.cross_entropy(F.relu(logits) if self.network.settings.nid_relu else logits, labels)

    def _rcl(self, clean: Tensor, noised: Tensor) -> Tensor:
        if self.network.settings.rcl == "normalised":
            clean, noised = F.normalize(clean, dim=1), F.normalize(noised, dim=1)
            clean = clean / self.network.settings.rcl_temperature
        return F.cross_entropy(clean @ noised.T, torch.arange(len(clean), device=clean.device))
