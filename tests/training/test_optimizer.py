"""The optimiser against torch's own: groups, decay, schedules, and groups that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import nn
from torch.optim import lr_scheduler

from mmrec.params.optimizer import OptimizerParams, ParameterGroup, ScheduleParams
from mmrec.training.optimizer import build_optimizer, rate_factor, set_rates
from tests.training.tiny import TinyObjective, equal_weights, history, tiny_batches, tiny_train

KINDS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
LINEAR = {"name": "linear_to", "factor": 0.1, "from_epoch": 3, "to_epoch": 8}
STEP = {"name": "step", "every": 3, "factor": 0.5}
EXPONENTIAL = {"name": "exponential", "factor": 0.9}


def group(*prefixes: str, **settings: float) -> ParameterGroup:
    return ParameterGroup(prefixes=prefixes, **settings)


def schedule(**settings: Any) -> ScheduleParams:
    found: ScheduleParams = TypeAdapter(ScheduleParams).validate_python(settings)
    return found


def trained(objective: nn.Module, optimizer: torch.optim.Optimizer) -> nn.Module:
    torch.manual_seed(3)
    for batch in tiny_batches().epoch(1):
        optimizer.zero_grad()
        torch.stack(list(objective(batch).values())).sum().backward()
        optimizer.step()
    return objective


def named_groups(objective: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[str]]:
    names = {parameter: name for name, parameter in objective.named_parameters()}
    return [[names[one] for one in found["params"]] for found in optimizer.param_groups]


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_without_groups_it_is_torchs_own_over_all_parameters_in_order(name: str) -> None:
    ours, by_hand = TinyObjective(), TinyObjective()
    settings = OptimizerParams(optimizer=name, learning_rate=0.02, weight_decay=0.1)
    optimizer = build_optimizer(ours, settings, stage="finetune")
    assert named_groups(ours, optimizer) == [["bias", "unused", "embedding.weight"]]
    expected = KINDS[name](by_hand.parameters(), lr=0.02, weight_decay=0.1, fused=True)
    assert equal_weights(trained(ours, optimizer), trained(by_hand, expected))


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_two_groups_are_torchs_own_by_hand(name: str) -> None:
    ours, by_hand, plain = TinyObjective(), TinyObjective(), TinyObjective()
    of_bias = group("bias", learning_rate=0.5, weight_decay=0.0)
    settings = OptimizerParams(
        optimizer=name, learning_rate=0.02, weight_decay=0.1, groups=(of_bias,)
    )
    optimizer = build_optimizer(ours, settings, stage="finetune")
    assert named_groups(ours, optimizer) == [["unused", "embedding.weight"], ["bias"]]
    expected = KINDS[name](
        [
            {"params": [by_hand.unused, by_hand.embedding.weight], "weight_decay": 0.1},
            {"params": [by_hand.bias], "lr": 0.5, "weight_decay": 0.0},
        ],
        lr=0.02,
    )
    trained(ours, optimizer)
    trained(by_hand, expected)
    for one, other in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    without = build_optimizer(plain, settings.model_copy(update={"groups": ()}), stage="finetune")
    assert not torch.allclose(ours.bias, trained(plain, without).bias)


def test_what_a_group_leaves_open_is_that_of_the_training() -> None:
    groups = (group("bias", learning_rate=0.5), group("unused", weight_decay=0.25))
    settings = OptimizerParams(learning_rate=0.02, weight_decay=0.1, groups=groups)
    optimizer = build_optimizer(TinyObjective(), settings, stage="finetune")
    found = [(one["lr"], one["weight_decay"]) for one in optimizer.param_groups]
    assert found == [(0.02, 0.1), (0.5, 0.1), (0.02, 0.25)]


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
    tiny = OptimizerParams(learning_rate=0.02, groups=(group("bias", learning_rate=0.5),))
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
        groups=(group("bias", learning_rate=0.5),),
    )
    tiny_train(tmp_path, TinyObjective(), optimizer=settings)
    assert [row[1] for row in history(tmp_path)] == [
        "learning_rate",
        "0.04",
        "0.02",
        "0.01",
        "0.005",
    ]


def test_all_parameters_may_be_in_groups(tmp_path: Path) -> None:
    groups = (group("bias", "unused", learning_rate=0.3), group("embedding", learning_rate=0.1))
    grouped, plain = TinyObjective(), TinyObjective()
    settings = OptimizerParams(learning_rate=0.04, groups=groups)
    tiny_train(tmp_path / "grouped", grouped, optimizer=settings)
    tiny_train(tmp_path / "plain", plain, optimizer=OptimizerParams(learning_rate=0.04))
    assert [row[1] for row in history(tmp_path / "grouped")[1:]] == ["0.04"] * 4
    assert not equal_weights(grouped, plain)


def test_a_group_of_the_params_comes_before_one_of_the_model() -> None:
    objective = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    settings = OptimizerParams(groups=(group("1.bias", learning_rate=0.5),))
    of_model = [group("1", learning_rate=0.1, weight_decay=0.2)]
    optimizer = build_optimizer(objective, settings, of_model, stage="finetune")
    assert named_groups(objective, optimizer) == [["0.weight", "0.bias"], ["1.bias"], ["1.weight"]]
    found = [(one["lr"], one["weight_decay"]) for one in optimizer.param_groups]
    assert found == [(1e-3, 0.0), (0.5, 0.0), (0.1, 0.2)]
    taken = OptimizerParams(groups=(group("1", learning_rate=0.5),))
    optimizer = build_optimizer(objective, taken, of_model, stage="finetune")
    assert [len(one["params"]) for one in optimizer.param_groups] == [2, 2, 0]


def test_training_takes_the_groups_of_a_model(tmp_path: Path) -> None:
    ours, of_params, plain = TinyObjective(), TinyObjective(), TinyObjective()
    of_bias = group("bias", learning_rate=0.5)
    tiny_train(tmp_path / "model", ours, groups=[of_bias])
    settings = OptimizerParams(learning_rate=0.01, weight_decay=1e-3, groups=(of_bias,))
    tiny_train(tmp_path / "params", of_params, optimizer=settings)
    tiny_train(tmp_path / "plain", plain)
    assert equal_weights(ours, of_params)
    assert not equal_weights(ours, plain)


def test_a_tied_parameter_is_known_by_all_its_names() -> None:
    objective = TinyObjective()
    settings = OptimizerParams(groups=(group("output", learning_rate=0.5),))
    optimizer = build_optimizer(objective, settings, stage="finetune")
    assert named_groups(objective, optimizer) == [["bias", "unused"], ["embedding.weight"]]


@pytest.mark.parametrize("prefix", ["embeddings", "embed", "weight", "features", "dropout"])
def test_a_prefix_that_means_no_parameter_is_named_with_those_there_are(prefix: str) -> None:
    settings = OptimizerParams(groups=(group("bias"), group(prefix)))
    words = f"finetune.groups: no trainable parameter is or is in '{prefix}'.*; there are bias, "
    words += "unused, embedding.weight, output.weight: name one of them whole"
    with pytest.raises(ValueError, match=words):
        build_optimizer(TinyObjective(), settings, stage="finetune")


def test_a_mistyped_prefix_is_answered_with_what_is_likely_meant() -> None:
    model = nn.ModuleDict({"encoder": nn.ModuleDict({"text": nn.Linear(2, 2)})})
    for mistyped, meant in (
        ("encoder.txt", "encoder.text"),
        ("encoder.text.wait", "encoder.text."),
    ):
        settings = OptimizerParams(groups=(group(mistyped),))
        with pytest.raises(ValueError, match=rf"'{mistyped}' \(did you mean {meant}"):
            build_optimizer(model, settings, stage="finetune")


def test_of_many_parameters_the_message_names_some() -> None:
    many = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(10)])
    with pytest.raises(ValueError, match=r"there are 0, 1, 2, 3, 4, 5, 6, 7 and 2 more: name"):
        build_optimizer(many, OptimizerParams(groups=(group("none"),)), stage="finetune")


def test_a_prefix_of_frozen_parameters_is_refused() -> None:
    objective = TinyObjective()
    objective.bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"no trainable parameter is or is in 'bias'"):
        build_optimizer(objective, OptimizerParams(groups=(group("bias"),)), stage="finetune")


@pytest.mark.parametrize(
    ("of_params", "of_model", "words"),
    [
        (
            ["embedding", "output"],
            [],
            r"finetune\.groups: prefixes 'embedding' and 'output' of two groups both claim "
            r"embedding\.weight = output\.weight; a parameter belongs to one group: narrow",
        ),
        (
            [],
            ["embedding", "embedding.weight"],
            r"finetune, groups of the model: prefixes 'embedding' and 'embedding\.weight' of two",
        ),
    ],
)
def test_two_groups_that_claim_a_parameter_are_refused(
    of_params: list[str], of_model: list[str], words: str
) -> None:
    settings = OptimizerParams(groups=tuple(map(group, of_params)))
    with pytest.raises(ValueError, match=words):
        build_optimizer(
            TinyObjective(), settings, [group(one) for one in of_model], stage="finetune"
        )


def test_one_group_may_name_a_parameter_twice() -> None:
    settings = OptimizerParams(groups=(group("embedding", "embedding.weight", "output"),))
    objective = TinyObjective()
    optimizer = build_optimizer(objective, settings, stage="finetune")
    assert named_groups(objective, optimizer) == [["bias", "unused"], ["embedding.weight"]]
