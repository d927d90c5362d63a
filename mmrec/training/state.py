"""Where a training stands at the border of two epochs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self

HistoryRow = dict[str, float | int]
"""One epoch: its number, learning rate, losses and validation metrics."""


@dataclass(frozen=True)
class TrainingState:
    """Progress after `epoch` epochs; epoch 0 is the untrained model.

    Attributes:
        best_metric: None before the first epoch has been validated.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_metric: float | None = None
    history: list[HistoryRow] = field(default_factory=list)

    @property
    def bad_epochs(self) -> int:
        """Epochs since the best one."""
        return self.epoch - self.best_epoch

    def after(self, row: HistoryRow, metric: float) -> Self:
        """The state one epoch later; an equal metric does not replace the best."""
        epoch = self.epoch + 1
        later = replace(self, epoch=epoch, history=[*self.history, row])
        if self.best_metric is None or metric > self.best_metric:
            return replace(later, best_epoch=epoch, best_metric=metric)
        return later

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; floats survive exactly."""
        return {
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_metric": self.best_metric,
            "history": self.history,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` wrote."""
        return cls(value["epoch"], value["best_epoch"], value["best_metric"], value["history"])
