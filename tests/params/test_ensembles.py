"""What an ensemble of `params.yaml` may name, and who may name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.compare.rows import require_known
from mmrec.io import DataError
from mmrec.params.ranked import stage_of
from tests.params.test_file import ROOT, messages
from tests.stages.test_stages import an_ensemble, write_params

MP4SR = {"run": "demo-mp4sr", "text": "sentences", "image": "keyword_sentences"}
GROUPED = {
    "name": "grouped",
    "steps": 4,
    "history_ends": [5],
    "count_ends": [],
    "min_targets": 9,
}


@pytest.fixture
def data() -> Any:
    found: Any = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    found["ensembles"] = {
        "vectors": {**an_ensemble("demo", "demo-mp4sr", "demo-sasrec"), "first": MP4SR},
        "lists": an_ensemble("demo", "demo-sasrec", "demo-itemknn"),
    }
    return found


def test_an_ensemble_is_recommended_from_mapped_and_compared_as_a_run(
    data: Any, tmp_path: Path
) -> None:
    data["recommend"]["run"] = "vectors"
    data["report"]["maps"] = ["demo-sasrec", "vectors"]
    checked = write_params(data, tmp_path)
    require_known({"a": ["vectors"], "b": ["demo-mp4sr"], "c": ["lists"]}, checked)
    assert stage_of(checked, "vectors") == "evaluate_ensemble@vectors"
    assert stage_of(checked, "demo-mp4sr") == "evaluate@demo-mp4sr"
    with pytest.raises(DataError, match=r"'a': 'vectors' has .* 'lists' has .*make them two rows"):
        require_known({"a": ["lists", "vectors"]}, checked)


def test_seeds_of_an_ensemble_are_those_of_its_parts(data: Any, tmp_path: Path) -> None:
    data["runs"]["again"] = {**data["runs"]["demo-sasrec"], "seed": 7}
    data["ensembles"]["lists-7"] = an_ensemble("demo", "again", "demo-itemknn")
    checked = write_params(data, tmp_path)
    require_known({"both": ["lists", "lists-7"]}, checked)
    data["ensembles"]["same"] = data["ensembles"]["lists"]
    checked = write_params(data, tmp_path)
    with pytest.raises(DataError, match=r"found the seeds \[\(2020, 2020\), \(2020, 2020\)\]"):
        require_known({"both": ["lists", "same"]}, checked)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dataset": "x"}, "ensembles.lists.dataset: found 'x', allowed: demo"),
        ({"second": {**MP4SR, "run": "x"}}, "ensembles.lists.second.run: found 'x', allowed: none"),
        (
            {"second": {**MP4SR, "text": "none"}},
            "lists.second.text: found 'none', but run 'demo-mp4sr' reads 'sentences'; write that",
        ),
        (
            {"third": {"run": "none", "text": "none", "image": "x"}},
            "ensembles.lists.third.image: found 'x', but no run reads 'none'; write that",
        ),
        (
            {"second": {"run": "none", "text": "none", "image": "none"}},
            "ensembles.lists: found 1 runs, expected at least 2; name another one",
        ),
        (
            {"third": {"run": "demo-sasrec", "text": "none", "image": "none"}},
            "found the runs demo-sasrec, demo-itemknn, demo-sasrec, expected each once",
        ),
        (
            {"third": {"run": "vectors", "text": "none", "image": "none"}},
            "ensembles.lists.third.run: found 'vectors', an ensemble; name its parts",
        ),
        ({"weights": {**GROUPED, "history_ends": [5, 2]}}, "history_ends must ascend"),
        ({"metric": "coverage@10"}, "ensembles.lists.metric: found 'coverage@10'"),
    ],
)
def test_what_does_not_go_together_is_named(
    change: dict[str, Any], says: str, data: Any, tmp_path: Path
) -> None:
    data["ensembles"]["lists"] |= change
    assert says in "\n".join(messages(data, tmp_path))


def test_names_are_those_of_runs_too(data: Any, tmp_path: Path) -> None:
    data["ensembles"]["demo-sasrec"] = data["ensembles"]["lists"]
    data["runs"]["none"] = data["runs"]["demo-sasrec"]
    found = "\n".join(messages(data, tmp_path))
    assert "ensembles.demo-sasrec: found a name that a run has; results lie by name" in found
    assert "runs.none: 'none' is the name of no run" in found


def test_runs_of_another_dataset_are_refused(data: Any, tmp_path: Path) -> None:
    data["datasets"]["other"] = data["datasets"]["demo"]
    data["ensembles"]["lists"]["dataset"] = "other"
    found = "\n".join(messages(data, tmp_path))
    assert (
        "ensembles.lists.first.run: found 'demo-sasrec', which is on 'demo', but the ensemble is on"
        " 'other'; name runs on that alone" in found
    )


def test_without_vectors_there_is_nothing_to_recommend_from(data: Any, tmp_path: Path) -> None:
    data["recommend"]["run"] = "lists"
    data["report"]["maps"] = ["vectors"]
    data["ensembles"]["vectors"]["weights"] = GROUPED
    found = "\n".join(messages(data, tmp_path))
    assert "found 'lists', but its part 'demo-itemknn' has no vectors to search" in found
    assert "found 'vectors', but its weights differ by group, so that it has no vectors" in found
