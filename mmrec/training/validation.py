"""Validation of an epoch: metrics among which the deciding one is, and finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn


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
