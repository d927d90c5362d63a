"""Loss params in, losses out; imports happen inside, so that only what is chosen is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from torch import Tensor

from mmrec.params.models import Mp4srArchitecture, Mp4srContrast
from mmrec.params.training import FullLoss, InBatchLoss, NextItemLossParams, SampledLoss

if TYPE_CHECKING:
    from mmrec.models.mp4sr_pretraining import ContrastiveLosses
    from mmrec.models.next_item import NextItemLoss


def build_next_item_loss(params: NextItemLossParams, training_counts: Tensor) -> NextItemLoss:
    """The loss that predicts the next item of a catalogue with these training counts, [N]."""
    from mmrec.models.next_item import FullSoftmax, InBatchSoftmax, SampledSoftmax

    match params:
        case FullLoss():
            return FullSoftmax()
        case SampledLoss():
            return SampledSoftmax(
                training_counts,
                num_negatives=params.num_negatives,
                draw=params.draw,
                correction=params.correction,
            )
        case InBatchLoss():
            return InBatchSoftmax(training_counts, correction=params.correction)
        case _:
            assert_never(params)


def build_contrast(architecture: Mp4srArchitecture, contrast: Mp4srContrast) -> ContrastiveLosses:
    """MP4SR's pre-training losses."""
    from mmrec.models.mp4sr_pretraining import ContrastiveLosses

    return ContrastiveLosses(
        embedding_dim=architecture.embedding_dim,
        temperature=architecture.temperature,
        nip_weight=contrast.nip_weight,
        cmcl_weight=contrast.cmcl_weight,
        cmcl_denominator=contrast.cmcl_denominator,
        same_target_negatives=contrast.same_target_negatives,
        mixup=contrast.mixup,
        max_swap_probability=contrast.max_swap_probability,
        projections=contrast.projections,
        drop_probability=contrast.drop_probability,
        drop_schedule=contrast.drop_schedule,
    )
