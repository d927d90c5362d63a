"""What a study is in terms of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.pipeline import Params
from mmrec.params.references import wrong_references
from mmrec.params.study import StudyError, load_study
from mmrec.study.expansion import expand
from mmrec.study.workspace import PROJECT

STUDY: dict[str, Any] = {
    "base": "params.yaml",
    "dataset": "demo",
    "text": "sentences",
    "image": "keyword_sentences",
    "seeds": [1, 5],
    "reference": "full",
    "columns": ["ndcg@10"],
    "parts": ["all"],
    "rows": {
        "full": {"model": "mp4sr", "pretrained": True},
        "w/o NIP": {
            "model": "mp4sr",
            "pretrained": True,
            "change": {"pretrain": {"contrast": {"nip_weight": 0.0}}},
        },
        "T": {
            "model": "mp4sr",
            "pretrained": True,
            "change": {"finetune": {"score_branches": "text"}},
        },
        "IDs": {"model": "sasrec", "text": "none", "image": "none"},
    },
}


def study(folder: Path, **changes: Any) -> Any:
    path = folder / "tried.yaml"
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    with path.open("w") as file:
        yaml.dump(STUDY | changes, file)
    return load_study(path)


def test_every_row_is_a_run_for_each_seed(tmp_path: Path) -> None:
    params, runs = expand(study(tmp_path), PROJECT)
    assert runs == {
        "full": ("full-1", "full-5"),
        "w/o NIP": ("w-o-NIP-1", "w-o-NIP-5"),
        "T": ("T-1", "T-5"),
        "IDs": ("IDs-1", "IDs-5"),
    }
    assert set(params["runs"]) == {name for names in runs.values() for name in names}
    assert params["runs"]["IDs-5"] == {
        "dataset": "demo",
        "model": "IDs",
        "text": "none",
        "image": "none",
        "init_from": "none",
        "seed": 5,
    }
    contrast = params["models"]["w-o-NIP"]["pretrain"]["contrast"]
    assert contrast == {"nip_weight": 0.0}
    assert params["models"]["w-o-NIP"]["finetune"] == params["models"]["full"]["finetune"]


def test_rows_that_differ_in_fine_tuning_alone_share_a_pre_training(tmp_path: Path) -> None:
    params, _ = expand(study(tmp_path), PROJECT)
    assert set(params["pretrainings"]) == {"full-1", "full-5", "w-o-NIP-1", "w-o-NIP-5"}
    starts = {name: run["init_from"] for name, run in params["runs"].items()}
    assert starts["T-5"] == starts["full-5"] == "full-5"
    assert starts["w-o-NIP-5"] == "w-o-NIP-5"
    assert params["pretrainings"]["full-5"]["seed"] == 5
    other = {**STUDY["rows"], "pictures": {**STUDY["rows"]["full"], "image": "clip_image"}}
    params, _ = expand(study(tmp_path, rows=other), PROJECT)
    assert params["runs"]["pictures-1"]["init_from"] == "pictures-1", "of other features"


def test_labels_that_make_one_name_stay_apart(tmp_path: Path) -> None:
    rows = {label: {"model": "sasrec"} for label in ("a b", "a/b", "a-b", "+")}
    _, runs = expand(study(tmp_path, rows=rows, reference="+"), PROJECT)
    assert [names[0] for names in runs.values()] == ["a-b-1", "a-b-2-1", "a-b-3-1", "row-1"]


@pytest.mark.parametrize("path", sorted((PROJECT / "studies").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_shipped_studies_are_valid_params(path: Path) -> None:
    params = Params.model_validate(expand(load_study(path), PROJECT).params)
    assert list(wrong_references(params)) == []
    assert len(params.runs) >= 9


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"reference": "half"},
            "reference: found 'half', which is no row; there are full, w",
        ),
        ({"seeds": [1, 1]}, r"seeds: found \[1, 1\], expected each once"),
        ({"seeds": []}, "seeds: .*at least 1"),
        ({"columns": ["recal@10"]}, "columns.0: "),
        ({"rows": {"full": {"model": "mp4sr", "pretrain": True}}}, "rows.full.pretrain: "),
        ({"base": "nothing.yaml"}, "base: nothing.yaml cannot be read"),
        ({"base": "dvc.yaml"}, "base: dvc.yaml has no models"),
        (
            {"rows": {"full": {"model": "bert"}}},
            "rows.full.model: found 'bert', allowed: popularity, ",
        ),
    ],
)
def test_a_study_that_cannot_be_done_is_one_message(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=says):
        expand(study(tmp_path, **changes), PROJECT)


def test_an_unknown_study_is_told_which_there_are() -> None:
    with pytest.raises(StudyError, match=r"no study 'demos' in .*; there are demo, mp4"):
        load_study(PROJECT / "studies" / "demos.yaml")
