"""MMSRec's towers: a history, or an item by itself, as a token for each modality of each step.

Shapes: B users, L history length, n items, M modalities, T = L * M tokens, D embedding_dim,
W = M * D + M width of an item's row: its vectors, and 1 where it has one, else 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.mmsrec.items import MODALITIES, ModalityEncoder
from mmrec.models.mmsrec.model import Mmsrec
from mmrec.nn.scoring import unit
from mmrec.nn.sequence_encoder import Anchor
from mmrec.onnx.padded import layered, positions

NUM_MODALITIES = len(MODALITIES)


def slots_of(encoder: ModalityEncoder, items: Tensor) -> Tensor:
    """Rows of the items [n]; [n, W]."""
    return as_rows(encoder.encode(items), encoder.held(items))


def as_rows(vectors: Tensor, held: Tensor) -> Tensor:
    """Vectors [n, M, D], and which of them count [n, M], as rows [n, W]."""
    return torch.cat([vectors.flatten(1), held.to(vectors.dtype)], dim=1)


class StepStates(nn.Module):
    """States of steps, of which each is a token for each modality that is there."""

    def __init__(self, recommender: Mmsrec) -> None:
        super().__init__()
        self.encoder = recommender.sequence_encoder
        self.modality_types = recommender.modality_types
        self.output_norm = recommender.output_norm
        self.heads = recommender.heads

    def forward(self, rows: Tensor, lengths: Tensor, anchor: Anchor) -> Tensor:
        """States of all steps; [B, L, W] -> [B, L, D].

        Args:
            rows: of the steps, right padded.
            lengths: [B] steps that are real.
            anchor: where positions are counted from.
        """
        vectors, held = self.parted(rows)  # [B, L, M, D], [B, L, M]
        batch, length = held.shape[:2]
        steps = torch.arange(length, device=rows.device).unsqueeze(0)
        real = held & (steps < lengths.unsqueeze(1)).unsqueeze(2)
        index = positions(self.encoder, steps, lengths, anchor)
        inputs = with_positions_of_steps(self.encoder.positions, vectors, index)
        inputs = (inputs + self.modality_types).flatten(1, 2)  # [B, T, D]
        hidden = real.flatten(1)
        # Somewhere to look, so that padding gives numbers; nobody reads what it gives.
        hidden = hidden | ~hidden.any(dim=1, keepdim=True)
        states = layered(self.encoder.layers, self.encoder.normed(inputs), hidden)
        states = self.output_norm(states).view(batch, length, NUM_MODALITIES, -1)
        return self.largest(states, real)

    def parted(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors and what counts of them; [..., W] -> [..., M, D], [..., M]."""
        vectors, held = rows[..., :-NUM_MODALITIES].contiguous(), rows[..., -NUM_MODALITIES:]
        width = vectors.shape[-1] // NUM_MODALITIES
        return vectors.view(*vectors.shape[:-1], NUM_MODALITIES, width), held > 0

    def largest(self, states: Tensor, real: Tensor) -> Tensor:
        """Each modality through its head, then the largest; [..., M, D], [..., M] -> [..., D]."""
        mapped = [self.heads[name](states[..., at, :]) for at, name in enumerate(MODALITIES)]
        stacked = torch.stack(mapped, dim=-2)
        return stacked.masked_fill(~real.unsqueeze(-1), -torch.inf).amax(dim=-2)


def with_positions_of_steps(table: Tensor, vectors: Tensor, index: Tensor | None) -> Tensor:
    """Vectors of steps [B, L, M, D] with the rows `index` [B or 1, L] of the table added."""
    return vectors if index is None else vectors + F.embedding(index, table).unsqueeze(2)


class MmsrecTower(nn.Module):
    """The direction of the state at a mask behind the history."""

    def __init__(self, recommender: Mmsrec) -> None:
        super().__init__()
        self.states = StepStates(recommender)
        encoder = recommender.item_encoder
        self.register_buffer("mask", slots_of(encoder, torch.tensor([recommender.num_items]))[0])
        self.anchor: Anchor = recommender.anchor
        self.temperature = recommender.temperature

    def forward(self, history: Tensor, item_inputs: Tensor) -> Tensor:
        """Queries [B, D]."""
        masks = (history != 0).sum(dim=1)  # [B]
        rows = F.pad(F.embedding(history, item_inputs), (0, 0, 0, 1))  # [B, L + 1, W]
        steps = torch.arange(rows.shape[1], device=rows.device).unsqueeze(0)
        is_mask = steps == masks.unsqueeze(1)
        rows = torch.where(is_mask.unsqueeze(2), self.get_buffer("mask"), rows)
        states = self.states(rows, masks + 1, self.anchor)  # [B, L + 1, D]
        index = masks.view(-1, 1, 1).expand(-1, 1, states.shape[2])
        return unit(states.gather(1, index).squeeze(1)) / self.temperature
