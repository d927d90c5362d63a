"""Settings of items' own IDs in, what leaves them out in training and what aligns them out."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mmrec.models.aligned import AlignedObjective, IdAlignment, IdsAndContent
from mmrec.models.items.own_ids import IdDropout
from mmrec.models.next_item import NextItemModel
from mmrec.models.next_item_training import build_next_item_loss, next_item_objective
from mmrec.params.own_ids import IdDropoutParams, OwnIdsTrainingParams
from mmrec.recommender import Objective


def build_id_dropout(params: IdDropoutParams | None, training_counts: Tensor) -> IdDropout | None:
    """Which items of a catalogue with these training counts, [N], go without their ID."""
    if params is None:
        return None
    return IdDropout(
        training_counts,
        chance=params.chance,
        min_count=params.min_count,
        ranked_weight=params.ranked_weight,
    )


def next_item_or_aligned(
    recommender: NextItemModel,
    views: Callable[[Tensor], IdsAndContent],
    settings: OwnIdsTrainingParams,
    training_counts: Tensor,
) -> Objective:
    """The recommender, trained on its own scores, and on the alignment where it is asked for."""
    if settings.alignment is None:
        return next_item_objective(recommender, settings, training_counts)
    return AlignedObjective(
        recommender,
        build_next_item_loss(settings.loss, training_counts),
        IdAlignment(
            views,
            weight=settings.alignment.weight,
            temperature=settings.alignment.temperature,
        ),
    )
