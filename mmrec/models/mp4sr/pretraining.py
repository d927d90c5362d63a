"""Pre-training of MP4SR: augmented ID-free sequences in, contrastive losses out; alone or joint.

Shapes: B sequences, L sequence length, T tokens (real positions), n training samples,
D embedding_dim.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.mp4sr.items import MODALITIES, Modality
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.next_item import NextItemLoss, TrainingBatch
from mmrec.nn.augmentation import (
    DropSchedule,
    draw_drop_probability,
    drop_items,
    swap_modalities,
)
from mmrec.nn.losses import (
    CmclDenominator,
    SameTargetRule,
    cross_modal_contrastive,
    next_item_prediction,
)
from mmrec.nn.packing import Packing
from mmrec.nn.processes import Parts, num_processes, shared_uniform
from mmrec.recommender import Objective


class ContrastiveLosses(nn.Module):
    """NIP and CMCL over augmented sequences (MP4SR sections 3.3, 3.4), without item IDs.

    With projections each modality's space sees both streams, projected: NIP has two views and
    there is one CMCL per space. Without any (the authors' code) the text stream predicts text
    embeddings, the image stream image embeddings, and one CMCL compares the two streams.

    Args:
        embedding_dim: Width of the states.
        temperature: Divides cosines in both losses.
        nip_weight: 0 leaves NIP out.
        cmcl_weight: 0 leaves CMCL out.
        cmcl_denominator: See `cross_modal_contrastive`.
        same_target_negatives: See `next_item_prediction`.
        mixup: Exchange the modalities at random positions.
        max_swap_probability: Mixup's chance is uniform between 0 and this, once per batch.
        projections: A linear map of the states into each modality's space, or the states as they
            are (the paper's reading of 'w/o Proj').
        drop_probability: Chance of a history item to be left out.
        drop_schedule: That chance in every batch, or uniform between 0 and it.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        temperature: float,
        nip_weight: float,
        cmcl_weight: float,
        cmcl_denominator: CmclDenominator,
        same_target_negatives: SameTargetRule,
        mixup: bool,
        max_swap_probability: float,
        projections: bool | Literal["identity"],
        drop_probability: float,
        drop_schedule: DropSchedule,
    ) -> None:
        super().__init__()
        if nip_weight == 0 and cmcl_weight == 0:
            raise ValueError(
                "nip_weight and cmcl_weight are both 0: nothing to train on; raise one of them"
            )
        self.temperature = temperature
        self.nip_weight = nip_weight
        self.cmcl_weight = cmcl_weight
        self.cmcl_denominator: CmclDenominator = cmcl_denominator
        self.same_target_negatives: SameTargetRule = same_target_negatives
        self.max_swap_probability = max_swap_probability if mixup else 0.0
        self.drop_probability = drop_probability
        self.drop_schedule: DropSchedule = drop_schedule
        identity = projections == "identity"
        self.projections = nn.ModuleDict(
            {
                name: nn.Identity() if identity else nn.Linear(embedding_dim, embedding_dim)
                for name in MODALITIES
                if projections
            }
        )

    def forward(self, recommender: Mp4sr, batch: TrainingBatch) -> dict[str, Tensor]:
        """Weighted losses by name; those of several processes are each other's negatives."""
        text, image, targets = self._augmented_states(recommender, batch)
        views = self._views(text, image)
        parts = Parts.of(len(targets), targets.device)
        losses: dict[str, Tensor] = {}
        if self.nip_weight:
            predicting = views or {"text": [text], "image": [image]}
            for name in MODALITIES:
                embeddings = _encode_targets(recommender, name, targets)  # [n, D]
                nip = self._nip(parts, predicting[name], embeddings, targets)
                losses[f"nip_{name}"] = self.nip_weight * nip
        if self.cmcl_weight:
            contrasted = {f"cmcl_{name}": both for name, both in views.items()}
            for loss, (first, second) in (contrasted or {"cmcl": [text, image]}).items():
                losses[loss] = self.cmcl_weight * self._cmcl(parts, first, second, targets)
        return losses

    def _augmented_states(
        self, recommender: Mp4sr, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States [n, D] of both streams after item drop and mixup, and the targets [n] of them.

        Where several positions of a row are trained, the state behind a dropped item is that
        of the sample before it. Both together would be negatives of each other, with one and
        the same vector, so only the first is a sample of this batch.
        """
        items = batch.items
        rows, columns = batch.targets.nonzero(as_tuple=True)  # [n], [n]
        drop_draws, swap_draws = _draws(batch)  # [B, L], [B, L]
        drop_probability = draw_drop_probability(self.drop_probability, self.drop_schedule)
        dropped = drop_items(items, drop_probability, drop_draws)
        packing = Packing.of(dropped.items)
        packed = packing.pack(dropped.items)  # [T]
        text, image = (recommender.modality_tokens(name, packed) for name in MODALITIES)  # [T, D]
        if self.max_swap_probability:
            probability = shared_uniform(device=items.device) * self.max_swap_probability
            draws = packing.pack(swap_draws[:, : dropped.items.shape[1]])  # [T]
            text, image = swap_modalities(text, image, probability, draws)
        tokens = packing.tokens_at(rows, dropped.positions[rows, columns])
        sampled = torch.ones_like(tokens, dtype=torch.bool)
        sampled[1:] = tokens[1:] != tokens[:-1]
        streams = torch.stack([text, image])  # [2, T, D]
        text, image = recommender.sequence_encoder(streams, packing, tokens[sampled])
        return text, image, batch.targets[rows, columns][sampled]

    def _views(self, text: Tensor, image: Tensor) -> dict[str, list[Tensor]]:
        """Both streams in the space of each modality; empty without projections."""
        return {name: [space(text), space(image)] for name, space in self.projections.items()}

    def _nip(
        self, parts: Parts, views: list[Tensor], embeddings: Tensor, targets: Tensor
    ) -> Tensor:
        loss = next_item_prediction(
            [parts.gather(view) for view in views],
            parts.gather(embeddings),
            parts.gather(targets),
            temperature=self.temperature,
            same_target_negatives=self.same_target_negatives,
        )
        return loss / num_processes()  # each computes the loss of all samples

    def _cmcl(self, parts: Parts, first: Tensor, second: Tensor, targets: Tensor) -> Tensor:
        loss = cross_modal_contrastive(
            parts.gather(first),
            parts.gather(second),
            parts.gather(targets),
            temperature=self.temperature,
            denominator=self.cmcl_denominator,
            same_target_negatives=self.same_target_negatives,
        )
        return loss / num_processes()


def _draws(batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Random numbers [B, L] for item drop and for mixup."""
    items = batch.items
    # Several processes may share a batch of fewer rows: who has none holds one without targets,
    # for which nobody draws. In a row of a batch something is always predicted.
    own = int((batch.targets != 0).any(dim=1).sum()) if num_processes() > 1 else len(items)
    drawn = Parts.of(own, items.device).uniform(2 * items.shape[1], items.device)
    drop, swap = F.pad(drawn, (0, 0, 0, len(items) - own)).chunk(2, dim=1)
    return drop, swap


def _encode_targets(recommender: Mp4sr, modality: Modality, targets: Tensor) -> Tensor:
    """Embeddings of the targets, with a dropout draw of their own; [n] -> [n, D]."""
    unique, inverse = torch.unique(targets, return_inverse=True)
    return F.embedding(inverse, recommender.item_encoder.encode(modality, unique))


class PretrainObjective(Objective):
    """Contrastive pre-training (MP4SR eq. 11)."""

    def __init__(self, recommender: Mp4sr, losses: ContrastiveLosses) -> None:
        super().__init__()
        self.recommender: Mp4sr = recommender
        self.losses = losses

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Losses `nip_text`, `nip_image`, `cmcl_text` and `cmcl_image`, or `cmcl`."""
        losses: dict[str, Tensor] = self.losses(self.recommender, batch)
        return losses


class JointObjective(Objective):
    """Pre-training and fine-tuning losses at once (the paper's E2E), each on its own pass.

    The contrastive pass is augmented and ID-free, the supervised one clean and with IDs.
    """

    def __init__(
        self, recommender: Mp4sr, next_item: NextItemLoss, losses: ContrastiveLosses
    ) -> None:
        super().__init__()
        self.recommender: Mp4sr = recommender
        self.next_item = next_item
        self.losses = losses

    def forward(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Loss `next_item` and those of pre-training."""
        return {
            "next_item": self.next_item(self.recommender, batch),
            **self.losses(self.recommender, batch),
        }
