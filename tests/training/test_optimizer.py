"""The optimiser against torch's own: which it is, decay, and schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from mmrec.params.optimizer import OptimizerParams
from mmrec.training.optimizer import build_optimizer, rate_factor, set_rates
from tests.training.tiny import TinyObjective, equal_weights, history, tiny_train
from tests.training.tiny_optimizer import (
    EXPONENTIAL,
    KINDS,
    LINEAR,
    STEP,
    group,
    named_groups,
    schedule,
    trained,
)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_without_groups_it_is_torchs_own_over_all_parameters_in_order(name: str) -> None:
    ours, by_hand = TinyObjective(), TinyObjective()
    settings = OptimizerParams(optimizer=name, learning_rate=0.02, weight_decay=0.1)
    optimizer = build_optimizer(ours, settings, stage="finetune")
    assert named_groups(ours, optimizer) == [["bias", "unused", "embedding.weight"]]
    expected = KINDS[name](by_hand.parameters(), lr=0.02, weight_decay=0.1, fused=True)
    assert equal_weights(trained(ours, optimizer), trained(by_hand, expected))


@pytest.mark.parametrize(("name", "expected"), [("adam", 2 - 0.1), ("adamw", 2 * (1 - 0.1 * 0.25))])
def test_decay_is_coupled_in_adam_and_decoupled_in_adamw(name: str, expected: float) -> None:
    # Without a gradient Adam has that of the decay alone, and its first step is the rate.
    one = nn.ParameterDict({"weight": nn.Parameter(torch.tensor([2.0]))})
    settings = OptimizerParams(optimizer=name, learning_rate=0.1, weight_decay=0.25)
    optimizer = build_optimizer(one, settings, stage="finetune")
    one["weight"].grad = torch.zeros(1)
    optimizer.step()
    assert one["weight"].item() == pytest.approx(expected, rel=1e-6)


def torch_scheduler(name: str, optimizer: torch.optim.Optimizer) -> Any:
    if name == "constant":
        return lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if name == "step":
        return lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    if name == "exponential":
        return lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    whole = lr_scheduler.ConstantLR(optimizer, factor=1.0)
    falling = lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.1, total_iters=5)
    return lr_scheduler.SequentialLR(optimizer, [whole, falling], milestones=[2])


@pytest.mark.parametrize("settings", [{"name": "constant"}, LINEAR, STEP, EXPONENTIAL])
def test_schedules_are_those_of_torch(settings: dict[str, Any]) -> None:
    tiny = OptimizerParams(learning_rate=0.02, groups=(group("objective.bias", learning_rate=0.5),))
    ours = build_optimizer(TinyObjective(), tiny, stage="finetune")
    theirs = build_optimizer(TinyObjective(), tiny, stage="finetune")
    scheduler = torch_scheduler(settings["name"], theirs)
    for epoch in range(1, 13):
        set_rates(ours, schedule(**settings), epoch)
        expected = [one["lr"] for one in theirs.param_groups]
        found = [one["lr"] for one in ours.param_groups]
        assert found == pytest.approx(expected, rel=1e-12), epoch
        theirs.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "constant"}, [1, 1, 1, 1, 1, 1]),
        ({**LINEAR, "factor": 0.2, "from_epoch": 2, "to_epoch": 4}, [1, 1, 0.6, 0.2, 0.2, 0.2]),
        ({**LINEAR, "factor": 0, "from_epoch": 0, "to_epoch": 4}, [0.75, 0.5, 0.25, 0, 0, 0]),
        ({**STEP, "every": 2}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({**EXPONENTIAL, "factor": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
    ],
)
def test_factors_by_hand(settings: dict[str, Any], expected: list[float]) -> None:
    factors = [rate_factor(schedule(**settings), epoch) for epoch in range(1, 7)]
    assert factors == pytest.approx(expected)


def test_the_history_has_the_rate_of_the_training_in_each_epoch(tmp_path: Path) -> None:
    settings = OptimizerParams(
        learning_rate=0.04,
        schedule=schedule(**{**EXPONENTIAL, "factor": 0.5}),
        groups=(group("objective.bias", learning_rate=0.5),),
    )
    tiny_train(tmp_path, TinyObjective(), optimizer=settings)
    assert [row[1] for row in history(tmp_path)] == [
        "learning_rate",
        "0.04",
        "0.02",
        "0.01",
        "0.005",
    ]
