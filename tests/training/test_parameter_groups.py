"""Groups of parameters: against torch's own, what their prefixes mean, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mmrec.params.optimizer import OptimizerParams
from mmrec.recommender import Objective
from mmrec.training.optimizer import build_optimizer
from tests.models import worlds
from tests.training.tiny import TinyObjective, equal_weights, history, tiny_train
from tests.training.tiny_optimizer import KINDS, group, named_groups, trained


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_two_groups_are_torchs_own_by_hand(name: str) -> None:
    ours, by_hand, plain = TinyObjective(), TinyObjective(), TinyObjective()
    of_bias = group("objective.bias", learning_rate=0.5, weight_decay=0.0)
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
    groups = (
        group("objective.bias", learning_rate=0.5),
        group("objective.unused", weight_decay=0.25),
    )
    settings = OptimizerParams(learning_rate=0.02, weight_decay=0.1, groups=groups)
    optimizer = build_optimizer(TinyObjective(), settings, stage="finetune")
    found = [(one["lr"], one["weight_decay"]) for one in optimizer.param_groups]
    assert found == [(0.02, 0.1), (0.5, 0.1), (0.02, 0.25)]


def test_all_parameters_may_be_in_groups(tmp_path: Path) -> None:
    groups = (
        group("objective.bias", "objective.unused", learning_rate=0.3),
        group("objective.embedding", learning_rate=0.1),
    )
    grouped, plain = TinyObjective(), TinyObjective()
    settings = OptimizerParams(learning_rate=0.04, groups=groups)
    tiny_train(tmp_path / "grouped", grouped, optimizer=settings)
    tiny_train(tmp_path / "plain", plain, optimizer=OptimizerParams(learning_rate=0.04))
    assert [row[1] for row in history(tmp_path / "grouped")[1:]] == ["0.04"] * 4
    assert not equal_weights(grouped, plain)


def test_a_group_of_the_params_comes_before_one_of_the_model() -> None:
    objective = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    settings = OptimizerParams(groups=(group("objective.1.bias", learning_rate=0.5),))
    of_model = [group("objective.1", learning_rate=0.1, weight_decay=0.2)]
    optimizer = build_optimizer(objective, settings, of_model, stage="finetune")
    assert named_groups(objective, optimizer) == [["0.weight", "0.bias"], ["1.bias"], ["1.weight"]]
    found = [(one["lr"], one["weight_decay"]) for one in optimizer.param_groups]
    assert found == [(1e-3, 0.0), (0.5, 0.0), (0.1, 0.2)]
    taken = OptimizerParams(groups=(group("objective.1", learning_rate=0.5),))
    optimizer = build_optimizer(objective, taken, of_model, stage="finetune")
    assert [len(one["params"]) for one in optimizer.param_groups] == [2, 2, 0]


def test_training_takes_the_groups_of_a_model(tmp_path: Path) -> None:
    ours, of_params, plain = TinyObjective(), TinyObjective(), TinyObjective()
    of_bias = group("objective.bias", learning_rate=0.5)
    tiny_train(tmp_path / "model", ours, groups=[of_bias])
    settings = OptimizerParams(learning_rate=0.01, weight_decay=1e-3, groups=(of_bias,))
    tiny_train(tmp_path / "params", of_params, optimizer=settings)
    tiny_train(tmp_path / "plain", plain)
    assert equal_weights(ours, of_params)
    assert not equal_weights(ours, plain)


def test_a_tied_parameter_is_known_by_all_its_names() -> None:
    objective = TinyObjective()
    settings = OptimizerParams(groups=(group("objective.output", learning_rate=0.5),))
    optimizer = build_optimizer(objective, settings, stage="finetune")
    assert named_groups(objective, optimizer) == [["bias", "unused"], ["embedding.weight"]]


def joint_objective() -> Objective:
    """Pre-training and fine-tuning losses of MP4SR at once: it has parameters of its own."""
    params = worlds.params("mp4sr", finetune={"joint": {}})
    found: Objective = worlds.objective(params, worlds.recommender(params))
    return found


def test_prefixes_are_names_of_the_recommender_or_of_what_the_objective_has_beside_it() -> None:
    objective = joint_objective()
    prefixes = ["item_ids", "item_encoder.adaptor", "objective.losses.projections.text"]
    settings = OptimizerParams(groups=tuple(map(group, prefixes)))
    _, *found = named_groups(objective, build_optimizer(objective, settings, stage="finetune"))
    names = [name for name, _ in objective.named_parameters()]
    beginnings = ["recommender.item_ids", "recommender.item_encoder.adaptor."]
    beginnings += ["losses.projections.text."]
    assert found == [
        [name for name in names if name.startswith(beginning)] for beginning in beginnings
    ]
    assert all(found)


def test_a_prefix_means_the_weights_of_this_name_in_the_file_that_is_saved() -> None:
    objective = joint_objective()
    weights = dict(objective.recommender.named_parameters())
    settings = OptimizerParams(groups=(group(*weights, learning_rate=0.5),))
    rest, of_recommender = build_optimizer(objective, settings, stage="finetune").param_groups
    assert {*map(id, of_recommender["params"])} == {*map(id, weights.values())}
    beside = OptimizerParams(groups=(group("objective", learning_rate=0.5),))
    _, of_objective = build_optimizer(objective, beside, stage="finetune").param_groups
    assert [*map(id, of_objective["params"])] == [*map(id, rest["params"])]


@pytest.mark.parametrize(
    "prefix",
    ["objective.embed", "embedding", "bias", "objective.features", "objective.dropout", "weight"],
)
def test_a_prefix_that_means_no_parameter_is_named_with_those_there_are(prefix: str) -> None:
    settings = OptimizerParams(groups=(group("objective.bias"), group(prefix)))
    words = f"finetune.groups: no trainable parameter is or is in '{prefix}'.*; there are "
    words += "objective.bias, objective.unused, objective.embedding.weight, "
    words += "objective.output.weight: name one of them whole"
    with pytest.raises(ValueError, match=words):
        build_optimizer(TinyObjective(), settings, stage="finetune")


def test_a_mistyped_prefix_is_answered_with_what_is_likely_meant() -> None:
    encoder = nn.ModuleDict({"text": nn.Linear(2, 2)})
    model = nn.ModuleDict({"recommender": nn.ModuleDict({"encoder": encoder})})
    for mistyped, meant in (
        ("encoder.txt", "encoder.text"),
        ("encoder.text.wait", "encoder.text."),
        ("recommender.encoder.text", "encoder.text"),
        ("objective.encoder.text", "encoder.text"),
    ):
        settings = OptimizerParams(groups=(group(mistyped),))
        with pytest.raises(ValueError, match=rf"'{mistyped}' \(did you mean {meant}"):
            build_optimizer(model, settings, stage="finetune")


def test_of_many_parameters_the_message_names_some() -> None:
    many = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in range(10)])
    with pytest.raises(
        ValueError, match=r"there are objective\.0, .* objective\.7 and 2 more: name"
    ):
        build_optimizer(many, OptimizerParams(groups=(group("none"),)), stage="finetune")


def test_a_prefix_of_frozen_parameters_is_refused() -> None:
    objective = TinyObjective()
    objective.bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"no trainable parameter is or is in 'objective\.bias'"):
        build_optimizer(
            objective, OptimizerParams(groups=(group("objective.bias"),)), stage="finetune"
        )


@pytest.mark.parametrize(
    ("of_params", "of_model", "words"),
    [
        (
            ["objective.embedding", "objective.output"],
            [],
            r"finetune\.groups: prefixes 'objective\.embedding' and 'objective\.output' of two "
            r"groups both claim objective\.embedding\.weight = objective\.output\.weight; a "
            r"parameter belongs to one group: narrow",
        ),
        (
            [],
            ["objective.embedding", "objective.embedding.weight"],
            r"finetune, groups of the model: prefixes 'objective\.embedding' and "
            r"'objective\.embedding\.weight' of two",
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
    settings = OptimizerParams(
        groups=(group("objective.embedding", "objective.embedding.weight", "objective.output"),)
    )
    objective = TinyObjective()
    optimizer = build_optimizer(objective, settings, stage="finetune")
    assert named_groups(objective, optimizer) == [["bias", "unused"], ["embedding.weight"]]
