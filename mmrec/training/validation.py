"""Validation: the metrics of an epoch, and what the best of them is worth."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from mmrec.evaluation.metrics import reference_column
from mmrec.params.pipeline import MaskHistory

VALIDATION_PROTOCOL = "validation_mask_history"
"""Entry of a training's record: whether what a user had seen was left out of its validation."""

_IN_WORDS = {"random": "a random ranking", "popularity": "items by popularity"}

logger = logging.getLogger(__name__)


def validated(
    objective: nn.Module, validate: Callable[[], Mapping[str, float]], metric: str, stage: str
) -> dict[str, float]:
    """Metrics of the objective as it is.

    Args:
        objective: is left in evaluation mode.
        validate: gives the metrics.
        metric: the one that decides.
        stage: name of the training, for messages.

    Raises:
        ValueError: the deciding metric is missing or not finite.
    """
    objective.eval()
    with torch.no_grad():
        metrics = dict(validate())
    if metric not in metrics:
        raise ValueError(
            f"{stage}: metric '{metric}' is not among the validation metrics "
            f"({', '.join(metrics) or 'none'}); name one of them"
        )
    if not math.isfinite(metrics[metric]):
        raise ValueError(f"{stage}: {metric} is {metrics[metric]}, not finite")
    return metrics


def tell_references(references: Mapping[str, float], metric: str, stage: str) -> None:
    """Log what the validation of the training that begins is to be compared with."""
    found = {name: references.get(reference_column(metric, name)) for name in _IN_WORDS}
    told = [f"{_IN_WORDS[name]} {value:.4f}" for name, value in found.items() if value is not None]
    logger.info("%s: validation %s of %s", stage, metric, ", of ".join(told))


def warn_if_nothing_learned(
    best: float, references: Mapping[str, float], metric: str, stage: str
) -> None:
    """Warn where the best epoch is no better than a ranking that has learned nothing."""
    random, popularity = (references.get(reference_column(metric, name)) for name in _IN_WORDS)
    if random is None:
        return
    if random >= 1:
        logger.warning(
            "%s: every ranking of so few items has a %s of 1, so that the first epoch is the best; "
            "set metric to one with a smaller cut-off, or to mrr",
            stage,
            metric,
        )
    elif best <= random:
        logger.warning(
            "%s: the best epoch's %s, %.4f, is no better than a random ranking's, %.4f: its "
            "weights are kept and know nothing; likely learning_rate is too high or too low, "
            "epochs are too few, or features are missing or those of other items",
            stage,
            metric,
            best,
            random,
        )
    elif popularity is not None and best <= popularity < 1:
        logger.warning(
            "%s: the best epoch's %s, %.4f, is no better than that of items by popularity, %.4f; "
            "likely epochs or patience are too few, learning_rate is too low or too high, or "
            "features say little of what users choose",
            stage,
            metric,
            best,
            popularity,
        )


def warn_if_validated_otherwise(record: Mapping[str, Any], *, mask_history: MaskHistory) -> None:
    """Warn where the evaluation masks what the choice of the best epoch did not, or the reverse.

    Args:
        record: of the training; one that trained nothing chose nothing.
        mask_history: of the evaluation; validation cannot have seen items at 0, and leaves them
            out instead.
    """
    validation: bool | None = record.get(VALIDATION_PROTOCOL)
    if validation not in (None, bool(mask_history)):
        logger.warning(
            "the best epoch was chosen with seen items %s, and is ranked with them %s; for one "
            "protocol set validation.mask_history: %s, which trains again",
            *(("left out", "competing") if validation else ("competing", "left out")),
            str(bool(mask_history)).lower(),
        )
