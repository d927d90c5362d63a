"""Training on a catalogue without its users: batches of items, judged by cross-modal retrieval.

Shapes: n items, D width of their vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from torch import Tensor

from mmrec.data.item_batches import ItemBatches
from mmrec.device import choose_device
from mmrec.evaluation.cross_modal import cross_modal_metrics
from mmrec.evaluation.metrics import reference_column, user_metrics
from mmrec.io import DataError
from mmrec.models.data import TrainingRun
from mmrec.params.training import LoopParams
from mmrec.recommender import Objective, Training, Validation
from mmrec.seeds import derive_seed

VALIDATION_CUTOFFS = (1, 5, 10)


def item_training(
    objective: Objective,
    settings: LoopParams,
    run: TrainingRun,
    *,
    items: Tensor,
    held_out: Tensor,
    encode: Callable[[Tensor], tuple[Tensor, Tensor]],
    num_left_out: int,
) -> Training:
    """Train an objective over items; an epoch is judged by finding held-out items' pictures.

    Args:
        objective: takes batches of items; is moved to the chosen device.
        settings: of the training.
        run: of which the training is.
        items: int64 [n], to train on.
        held_out: int64 [n], whose second vector is looked for by the first among all of these.
        encode: both vectors of items, [n, D] each, from the objective as it is.
        num_left_out: items that take no part, as they lack a feature.

    Raises:
        DataError: there are fewer than two items of either kind.
    """
    if len(held_out) < 2:
        raise DataError(
            f"{len(held_out)} items to validate on, at least 2 are needed; hold out more of those "
            "that have all features that are contrasted"
        )
    device = choose_device()
    objective.to(device)
    batches = ItemBatches(
        items.to(device), batch_size=settings.batch_size, seed=derive_seed(run.seed, run.stage)
    )
    cutoff = settings.metric.partition("@")[2]
    cutoffs = sorted({*VALIDATION_CUTOFFS, *([int(cutoff)] if cutoff else [])})
    validated = held_out.to(device)

    def metrics() -> dict[str, float]:
        return cross_modal_metrics(*encode(validated), cutoffs)

    # Every order is as likely: the mean over all ranks.
    random = user_metrics(np.arange(1, len(held_out) + 1, dtype=np.int64), settings.metric).mean()
    references = {reference_column(settings.metric, "random"): float(random)}
    digest = blake2b(np.ascontiguousarray(held_out.cpu().numpy()).data, digest_size=16).hexdigest()
    counts = {
        "items_trained_on": len(items),
        "items_held_out": len(held_out),
        "items_left_out": num_left_out,
    }
    validation = Validation(metrics, references, digest)
    return Training(objective, batches, validation, counts=counts)
