"""Moments are those of a parameter, whatever the number and order of groups and parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmrec.params.optimizer import OptimizerParams, ParameterGroup
from mmrec.training.checkpoint import CheckpointStore
from mmrec.training.moments import moments_by_name
from mmrec.training.optimizer import build_optimizer
from mmrec.training.state import TrainingState
from tests.training.test_trainer import KilledError, stop_after
from tests.training.tiny import TinyObjective, equal_weights, history, tiny_batches, tiny_train
from tests.training.tiny_optimizer import EXPONENTIAL, LINEAR, STEP, group, schedule

# `embedding` before `bias`: against the order of the names, on which numbers were based.
GROUPS = (
    group("objective.embedding", learning_rate=0.03, weight_decay=0.1),
    group("objective.bias", learning_rate=0.002),
)
OF_MODEL = [
    group("objective.unused", learning_rate=0.1),
    group("objective.output", learning_rate=0.2),
]


class Untied(TinyObjective):
    """A weight for each of the two modules that share one."""

    def __init__(self) -> None:
        super().__init__()
        self.output.weight = nn.Parameter(self.embedding.weight.detach().clone())


class Longer(TinyObjective):
    """Another shape of a parameter, under the same name."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(len(self.bias) + 1))


class Frozen(TinyObjective):
    """A parameter that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.bias.requires_grad_(False)


def turn_over(held: dict[str, Any]) -> None:
    for name in reversed(list(held)):
        held[name] = held.pop(name)


def settings_of(name: str, schedule_of: dict[str, Any], *, grouped: bool) -> OptimizerParams:
    return OptimizerParams(
        optimizer=name,
        learning_rate=0.01,
        weight_decay=0.01,
        schedule=schedule(**schedule_of),
        groups=GROUPS if grouped else (),
    )


@pytest.mark.parametrize("grouped", [False, True], ids=["one group", "groups"])
@pytest.mark.parametrize(
    "schedule_of",
    [
        {"name": "constant"},
        {**LINEAR, "from_epoch": 1, "to_epoch": 4},
        {**STEP, "every": 2},
        EXPONENTIAL,
    ],
    ids=lambda one: one["name"],
)
@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_resumed_training_is_bit_equal(
    name: str, schedule_of: dict[str, Any], grouped: bool, tmp_path: Path
) -> None:
    settings = settings_of(name, schedule_of, grouped=grouped)
    whole, first, second = TinyObjective(), TinyObjective(), TinyObjective()
    tiny_train(tmp_path / "whole", whole, optimizer=settings)
    with pytest.raises(KilledError):
        tiny_train(tmp_path / "cut", first, stop_after(first, 2), optimizer=settings)
    assert tiny_train(tmp_path / "cut", second, optimizer=settings).resumed_after == 2
    assert equal_weights(whole, second)
    assert history(tmp_path / "cut") == history(tmp_path / "whole")


@pytest.mark.parametrize("groups", [(), GROUPS], ids=["one group", "groups"])
def test_a_resumed_training_is_bit_equal_with_parameters_in_another_order(
    groups: tuple[ParameterGroup, ...], tmp_path: Path
) -> None:
    settings = OptimizerParams(learning_rate=0.01, groups=groups)
    whole, first, second = TinyObjective(), TinyObjective(), TinyObjective()
    tiny_train(tmp_path / "whole", whole, optimizer=settings)
    with pytest.raises(KilledError):
        tiny_train(tmp_path / "cut", first, stop_after(first, 2), optimizer=settings)
    turn_over(second._parameters)
    assert next(iter(dict(second.named_parameters()))) == "unused"
    assert tiny_train(tmp_path / "cut", second, optimizer=settings).resumed_after == 2
    assert equal_weights(whole, second)
    assert history(tmp_path / "cut") == history(tmp_path / "whole")


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adamw"},
        {"schedule": schedule(**STEP)},
        {"schedule": schedule(**{**STEP, "every": 4})},
        {"groups": GROUPS},
        {"groups": GROUPS[::-1]},
        {"groups": GROUPS[:1]},
    ],
)
def test_a_checkpoint_of_another_optimiser_is_not_continued(
    change: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = OptimizerParams(schedule=schedule(**{**STEP, "every": 5}))
    tiny_train(tmp_path, TinyObjective(), epochs=1, optimizer=plain)
    other = plain.model_copy(update=change)
    assert tiny_train(tmp_path, TinyObjective(), epochs=1, optimizer=other).resumed_after == 0
    assert "belongs to other settings" in caplog.text


def test_a_checkpoint_of_other_groups_of_the_model_is_not_continued(tmp_path: Path) -> None:
    tiny_train(tmp_path, TinyObjective(), epochs=1, groups=OF_MODEL)
    again = tiny_train(tmp_path, TinyObjective(), epochs=1, groups=OF_MODEL)
    other = tiny_train(tmp_path, TinyObjective(), epochs=1, groups=OF_MODEL[:1])
    assert (again.resumed_after, other.resumed_after) == (1, 0)


def optimizer_of(objective: nn.Module, *groups: ParameterGroup) -> torch.optim.Optimizer:
    return build_optimizer(objective, OptimizerParams(groups=groups), stage="finetune")


def stepped(objective: nn.Module, *groups: ParameterGroup) -> torch.optim.Optimizer:
    """After one step on a batch, in which `unused` had no gradient."""
    optimizer = optimizer_of(objective, *groups)
    torch.stack([*objective(next(iter(tiny_batches().epoch(1)))).values()]).sum().backward()
    optimizer.step()
    return optimizer


def saved(folder: Path, objective: nn.Module, optimizer: torch.optim.Optimizer) -> CheckpointStore:
    store = CheckpointStore(folder / "checkpoints", "digest")
    store.save(TrainingState(1, 1, 0.5, []), objective, optimizer)
    return store


def moments(objective: TinyObjective, optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]]:
    """Of each parameter by itself, not by its name in the optimiser."""
    parameters = (objective.embedding.weight, objective.bias, objective.unused)
    return [dict(optimizer.state.get(one, {})) for one in parameters]


@pytest.mark.parametrize("groups_before", [(), GROUPS])
@pytest.mark.parametrize("groups_after", [(), GROUPS, GROUPS[::-1], GROUPS[1:], OF_MODEL])
@pytest.mark.parametrize("turned", [False, True], ids=["same order", "another order"])
def test_moments_find_their_parameter(
    groups_before: tuple[ParameterGroup, ...],
    groups_after: tuple[ParameterGroup, ...],
    turned: bool,
    tmp_path: Path,
) -> None:
    objective, again = TinyObjective(), TinyObjective(seed=1)
    optimizer = stepped(objective, *groups_before)
    store = saved(tmp_path, objective, optimizer)
    if turned:  # even the tied weight, whose first name is another then
        turn_over(again._parameters)
        turn_over(again._modules)
        assert list(dict(again.named_parameters())) == ["unused", "bias", "output.weight"]
    found = stepped(again, *groups_after)
    rates = [group["lr"] for group in found.param_groups]
    assert store.resume(again, found) is not None
    expected = moments(objective, optimizer)
    assert [set(of_one) for of_one in expected] == [{"step", "exp_avg", "exp_avg_sq"}] * 2 + [set()]
    for one, other in zip(moments(again, found), expected, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert [group["lr"] for group in found.param_groups] == rates


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("bias|exp_avg_", r"bias: exp_avg_sq missing"),
        ("bias|step", r"bias: step missing"),
        ("bias|", r"bias: exp_avg and exp_avg_sq and step missing"),
        ("unused|step", r"unused: exp_avg and exp_avg_sq and step missing"),
        ("embedding.weight|exp", r"embedding\.weight: exp_avg and exp_avg_sq missing"),
    ],
)
def test_a_lost_moment_is_named_and_nothing_is_continued(
    lost: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def without(*arguments: Any) -> dict[str, Tensor]:
        whole = moments_by_name(*arguments)
        kept = {name: value for name, value in whole.items() if not name.startswith(lost)}
        assert len(kept) < len(whole)
        return kept

    monkeypatch.setattr("mmrec.training.checkpoint.moments_by_name", without)
    objective, again = TinyObjective(), TinyObjective(seed=1)
    store = saved(tmp_path, objective, stepped(objective, *GROUPS))
    refused(store, again, words, caplog)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (TinyObjective, Untied, r"output\.weight: exp_avg and exp_avg_sq and step missing"),
        (Untied, TinyObjective, r"output\.weight\|\w+: found two of a parameter with several"),
        (TinyObjective, Longer, r"bias\|exp_avg: found shape \(12,\), the parameter has \(13,\)"),
        (TinyObjective, Frozen, r"bias\|\w+: found a moment of no trainable parameter"),
    ],
)
def test_moments_of_another_model_are_named_and_not_loaded(
    before: type[TinyObjective],
    after: type[TinyObjective],
    words: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    objective = before()
    store = saved(tmp_path, objective, stepped(objective))
    refused(store, after(), words, caplog)


def refused(
    store: CheckpointStore, objective: nn.Module, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    untouched = {name: value.clone() for name, value in objective.state_dict().items()}
    optimizer = optimizer_of(objective)
    assert store.resume(objective, optimizer) is None
    assert re.search(rf"last-000001 is damaged .*optimizer\.safetensors: {words}", caplog.text)
    assert not optimizer.state
    found = objective.state_dict()
    assert all(torch.equal(found[name], value) for name, value in untouched.items())
    assert store.directory.with_name("checkpoints.damaged").exists(), "kept for whoever looks"
