"""Training on items alone: a contrast of their two vectors, without any user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmrec.io import DataError
from mmrec.models.data import TrainingRun
from mmrec.models.item_training import item_training
from mmrec.params.training import LoopParams
from mmrec.recommender import Objective
from mmrec.training.trainer import TrainingResult, train

NUM_ITEMS = 60
SETTINGS = LoopParams(epochs=8, patience=8, metric="recall@5", batch_size=8, learning_rate=0.02)


class Contrast(Objective):
    """Text and image vectors of the same hidden state, each through a map that is learned."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        hidden = torch.randn(NUM_ITEMS + 1, 4, generator=generator)
        for name in ("text", "image"):
            mixed = hidden @ torch.randn(4, 6, generator=generator)
            self.register_buffer(name, mixed, persistent=False)
        torch.manual_seed(1)
        self.maps = nn.ModuleDict({name: nn.Linear(6, 4) for name in ("text", "image")})

    def encode(self, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        text, image = (
            F.normalize(self.maps[name](getattr(self, name)[items]), dim=1)
            for name in ("text", "image")
        )
        return text, image

    def forward(self, batch: Any) -> dict[str, torch.Tensor]:
        text, image = self.encode(batch.items)
        own = torch.arange(len(text))
        return {"contrast": F.cross_entropy(text @ image.T / 0.1, own)}


def trained(folder: Path, **changes: Any) -> tuple[Contrast, TrainingResult]:
    objective, settings = Contrast(), SETTINGS.model_copy(update=changes)
    training = item_training(
        objective,
        settings,
        TrainingRun("pretrain", seed=3, mask_history=False),
        items=torch.arange(1, 41),
        held_out=torch.arange(41, NUM_ITEMS + 1),
        encode=objective.encode,
        num_left_out=4,
    )
    assert training.counts == {"items_trained_on": 40, "items_held_out": 20, "items_left_out": 4}
    assert training.validation.references == {"recall@5_random": pytest.approx(5 / 20)}
    result = train(
        training.objective,
        training.batches,
        training.validation.metrics,
        settings,
        seed=3,
        stage="pretrain",
        settings={"validated": training.validation.digest},
        checkpoint_dir=folder / "checkpoints",
        history_path=folder / "history.csv",
    )
    return objective, result


def test_a_contrast_of_items_finds_pictures_of_items_it_has_not_seen(tmp_path: Path) -> None:
    _, result = trained(tmp_path)
    assert result.best_metric > 0.9


def test_a_training_on_items_that_is_continued_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "whole")
    trained(tmp_path, epochs=3)
    # Other settings: it starts anew, and is then continued after its first epochs.
    continued, result = trained(tmp_path)
    again, _ = trained(tmp_path)
    assert result.resumed_after == 0
    for name, value in whole.state_dict().items():
        assert torch.equal(continued.state_dict()[name], value), name
        assert torch.equal(again.state_dict()[name], value), name


def test_a_catalogue_without_items_to_validate_on_is_refused() -> None:
    objective = Contrast()
    with pytest.raises(DataError, match="1 items to validate on, at least 2 are needed"):
        item_training(
            objective,
            SETTINGS,
            TrainingRun("pretrain", seed=3, mask_history=False),
            items=torch.arange(1, 9),
            held_out=torch.tensor([9]),
            encode=objective.encode,
            num_left_out=0,
        )
