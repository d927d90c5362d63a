"""A file of `searches/`: what it may say, and all that is wrong in one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrec.params.search import SearchError, load_search
from tests.tune.worlds import write_search


def test_whole_numbers_are_those_that_are_written_as_such(tmp_path: Path) -> None:
    space: Any = load_search(write_search(tmp_path)).space
    assert not space["finetune.learning_rate"].is_whole
    assert space["architecture.num_layers"].is_whole
    assert space["architecture.dropout"] == [0.1, 0.2]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"objective": "test_ndcg@10"}, "objective: found 'test_ndcg@10', expected a metric of va"),
        ({"objective": "evaluate.ndcg@10"}, "expected a metric of validation"),
        ({"sampler": "grid"}, "sampler: grid needs a list"),
        ({"sampler": "grid", "space": {"finetune.epochs": [1]}}, "found 4, expected null, since"),
        ({"num_trials": None}, "num_trials: found None, expected a number for sampler: random"),
        ({"num_trials": 1}, "num_trials: found 1; Input should be greater than or equal to 2"),
        ({"space": {}}, "space: Dictionary should have at least 1 item"),
        ({"space": {"pretrain.epochs": [1]}}, r"space\.pretrain\.epochs: expected the keys below"),
        ({"space": {"name": ["a"]}}, r"space\.name: expected the keys below an entry"),
        ({"space": {"finetune.epochs": [1, 1]}}, r"found \[1, 1\], expected each once"),
        ({"space": {"finetune.epochs": {"low": 2, "high": 1}}}, r"low \(2\) must be below high"),
        ({"space": {"finetune.epochs": {"low": 0, "high": 1, "log": True}}}, "must be above 0"),
        ({"space": {"finetune.epochs": {"low": 0}}}, r"epochs\.high: missing; this key must be"),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=says):
        load_search(write_search(tmp_path, **changes))


def test_all_errors_are_in_one_message(tmp_path: Path) -> None:
    path = write_search(tmp_path, sampler="best", seed=-1)
    path.write_text(path.read_text().replace('"run": "sasrec", ', ""))
    with pytest.raises(SearchError) as error:
        load_search(path)
    said = str(error.value)
    for part in ("3 errors", "run: missing", "sampler: found 'best'", "seed: found -1"):
        assert part in said
    path.write_text("a: [")
    with pytest.raises(SearchError, match="not valid YAML: line 2"):
        load_search(path)
