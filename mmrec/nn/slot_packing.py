"""Items and their present modalities in, a token per step and modality out, and back to steps.

Shapes: B sequences, L steps of a sequence, M modalities, T tokens, D width of a token;
n steps asked for, t their tokens.

MMSRec sees an item as one token for each modality that it has: all tokens of a step share its
position, and the state of the step is the largest of theirs, feature by feature. Modalities that
an item lacks are no tokens (its code masks them; its paper puts a learned vector there, which is
the caller's to do: for such a slot, say that the modality is present).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.nn.packing import Packing


class StepTokens(NamedTuple):
    """The tokens of n steps, step after step."""

    samples: Tensor  # [t] token numbers
    owners: Tensor  # [t] which of the n steps a token belongs to
    modalities: Tensor  # [t]
    num_steps: int  # n
    num_modalities: int  # M


@dataclass(frozen=True)
class SlotPacking:
    """Tokens of sequences by step and modality; an encoder takes them through `packing`.

    A step may have no token, and so may a sequence.
    """

    packing: Packing  # its places are indices into the flattened [B * L * M]
    modalities: Tensor  # [T] modality of the token
    step_starts: Tensor  # [B, L] first token of each step
    step_counts: Tensor  # [B, L] tokens of each step, 0 at padding
    num_modalities: int  # M

    @classmethod
    def of(cls, items: Tensor, present: Tensor) -> SlotPacking:
        """Find the tokens.

        Args:
            items: [B, L], right padded with 0: the real steps, with tokens or without.
            present: [B, L, M], true where the item has the modality; not read at padding.
        """
        real = items != 0
        present = present & real.unsqueeze(-1)
        num_rows, width, num_modalities = present.shape
        slots = present.flatten(1)  # [B, L * M]
        packing = Packing.of_lengths(slots.sum(dim=1), width=width * num_modalities)
        num_tokens = len(packing.columns)
        before = slots.cumsum(dim=1) - slots.long()  # [B, L * M] tokens of the sequence before
        tokens = packing.starts.unsqueeze(1) + before
        places = torch.arange(slots.numel(), device=items.device)
        # Absent slots all write to one place more, which is cut off.
        targets = torch.where(slots, tokens, num_tokens).flatten()
        places = places.new_empty(num_tokens + 1).scatter_(0, targets, places)[:num_tokens]
        num_steps = real.sum(dim=1)
        return cls(
            packing=replace(
                packing,
                places=places,
                steps=places // num_modalities % width,
                num_steps=num_steps,
                longest=int(num_steps.max()),
            ),
            modalities=places % num_modalities,
            step_starts=tokens.view(num_rows, width, num_modalities)[..., 0],
            step_counts=present.sum(dim=2),
            num_modalities=num_modalities,
        )

    def all_steps(self) -> StepTokens:
        """The tokens of every step of [B, L], in the order of the tokens."""
        width = self.step_starts.shape[1]
        owners = self.packing.sequences * width + self.packing.steps
        samples = torch.arange(len(owners), device=owners.device)
        num_steps = self.step_starts.numel()
        return StepTokens(samples, owners, self.modalities, num_steps, self.num_modalities)

    def tokens_at(self, sequences: Tensor, steps: Tensor) -> StepTokens:
        """The tokens of the steps (sequence, step); sequences [n], steps [n]."""
        starts, counts = self.step_starts[sequences, steps], self.step_counts[sequences, steps]
        owners = torch.repeat_interleave(counts)  # [t]
        inside = torch.arange(len(owners), device=owners.device)
        inside = inside - (counts.cumsum(0) - counts)[owners]
        samples = starts[owners] + inside
        modalities = self.modalities[samples]
        return StepTokens(samples, owners, modalities, len(starts), self.num_modalities)

    def last_steps(self) -> Tensor:
        """Step number of each sequence's last real step, 0 for one without any; [B]."""
        return (self.packing.num_steps - 1).clamp(min=0)


def step_max(states: Tensor, tokens: StepTokens, absent: Tensor) -> Tensor:
    """Largest value of each step's tokens, feature by feature; `absent` where there is no token.

    Args:
        states: [t, D], of the tokens.
        tokens: which step each belongs to.
        absent: [D], the state of a step without tokens.

    Returns:
        [n, D]. Of tokens that are equally large, one gets the gradient.
    """
    width = states.shape[1]
    num_slots = tokens.num_steps * tokens.num_modalities
    slots = states.new_full((num_slots, width), -torch.inf)
    places = tokens.owners * tokens.num_modalities + tokens.modalities
    slots = slots.index_copy(0, places, states).view(tokens.num_steps, -1, width)  # [n, M, D]
    largest = slots.max(dim=1).values  # [n, D]; its gradient takes half the time of amax's
    has_token = torch.zeros(tokens.num_steps, dtype=torch.bool, device=states.device)
    has_token.index_fill_(0, tokens.owners, True)
    return torch.where(has_token.unsqueeze(1), largest, absent.to(states.dtype))
