"""One epoch of optimiser steps: what its settings change, and numbers that are not finite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from mmrec.training.trainer import DivergenceError
from tests.training.tiny import TinyObjective, equal_weights, tiny_train


@pytest.mark.parametrize("setting", ["learning_rate", "weight_decay", "max_grad_norm"])
def test_every_setting_of_the_optimiser_moves_the_weights(setting: str, tmp_path: Path) -> None:
    plain, same, other = TinyObjective(), TinyObjective(), TinyObjective()
    tiny_train(tmp_path / "plain", plain, epochs=1)
    tiny_train(tmp_path / "same", same, epochs=1)
    tiny_train(tmp_path / "other", other, epochs=1, **{setting: 0.1})
    assert equal_weights(plain, same)
    assert not equal_weights(plain, other)


def test_without_a_norm_gradients_are_left_as_they_are(tmp_path: Path) -> None:
    free, far, bound = TinyObjective(), TinyObjective(), TinyObjective()
    for name, objective, norm in (("free", free, None), ("far", far, 1e9), ("bound", bound, 0.1)):
        tiny_train(tmp_path / name, objective, epochs=1, max_grad_norm=norm)
    assert equal_weights(free, far)
    assert not equal_weights(free, bound)


class SteepAtZero(TinyObjective):
    """Adds the root of zero in the second batch: a finite loss without a finite gradient."""

    steps = 0

    def forward(self, batch: Any) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = super().forward(batch)
        self.steps += 1
        if self.steps == 2:
            losses["next_item"] = losses["next_item"] + (self.bias.sum() * 0).sqrt()
        return losses


def test_a_gradient_that_is_not_finite_is_found_in_its_batch_though_the_loss_is_finite(
    tmp_path: Path,
) -> None:
    found = "batch 2: losses not finite: none; parameters not finite: none; gradients.*: bias;"
    with pytest.raises(DivergenceError, match=found):
        tiny_train(tmp_path, SteepAtZero())
