"""Settings of the optimiser in a params file: defaults, and what does not go together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mmrec.params.optimizer import OptimizerParams, ParameterGroup
from mmrec.params.training import TrainingParams


def test_by_default_it_is_adam_with_one_group_at_a_constant_rate() -> None:
    params = TrainingParams(epochs=1, patience=1)
    assert params.model_dump(mode="json", include=set(OptimizerParams.model_fields)) == {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "schedule": {"name": "constant"},
        "groups": [],
    }


def test_a_group_inherits_what_it_does_not_set() -> None:
    group = ParameterGroup.model_validate({"prefixes": ["item_encoder"]})
    assert (group.learning_rate, group.weight_decay) == (None, None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": "sgd"}, r"optimizer\n.*'adam' or 'adamw'"),
        ({"schedule": {"name": "cosine"}}, r"'constant', 'linear_to', 'step', 'exponential'"),
        (
            {"schedule": {"name": "linear_to", "factor": 0.1, "from_epoch": 9, "to_epoch": 9}},
            r"to_epoch \(9\) must be above from_epoch \(9\)",
        ),
        (
            {"schedule": {"name": "step", "every": 0, "factor": 0.1}},
            r"step\.every\n.*greater than 0",
        ),
        (
            {"schedule": {"name": "step", "every": 2, "factor": 1.5}},
            r"factor\n.*less than or equal",
        ),
        ({"schedule": {"name": "exponential", "factor": 0.0}}, r"factor\n.*greater than 0"),
        (
            {"groups": [{"prefixes": []}]},
            r"1 validation error(.*\n)*groups\.0\.prefixes\n.*without a prefix",
        ),
        (
            {"groups": [{"prefixes": ["encoder."]}]},
            r"1 validation error(.*\n)*groups\.0\.prefixes\.0\n.*single dots",
        ),
        ({"groups": [{"prefixes": "encoder"}]}, r"groups\.0\.prefixes\n.*valid tuple"),
        ({"groups": [{"prefixes": ["a"], "learning_rate": 0.0}]}, r"learning_rate\n.*than 0"),
        ({"groups": [{"learning_rate": 0.1}]}, r"groups\.0\.prefixes\n.*required"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OptimizerParams.model_validate(settings)


@pytest.mark.parametrize("pair", [("a.b", "a"), ("a", "a.b"), ("a.b", "a.b")])
def test_two_groups_that_mean_the_same_are_refused_before_there_is_a_model(
    pair: tuple[str, str],
) -> None:
    one, other = pair
    groups = [{"prefixes": ["c"]}, {"prefixes": ["d", one]}, {"prefixes": [other]}]
    words = rf"groups 1 and 2 both claim what is in 'a\.b' \(prefixes '{one}' and '{other}'\); "
    words += "a parameter belongs to one group: narrow a prefix, or join the groups"
    with pytest.raises(ValidationError, match=words):
        OptimizerParams.model_validate({"groups": groups})


def test_prefixes_end_at_a_dot() -> None:
    groups = [{"prefixes": ["a", "c.a"]}, {"prefixes": ["aa", "a_b", "c.aa"]}]
    assert len(OptimizerParams.model_validate({"groups": groups}).groups) == 2
