"""Params files whose runs start from runs: told once, in the new form, which is valid then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.file import ParamsError, load_params
from mmrec.params.older_form import told_in_new_form
from tests.e2e.small_shop import text_of

ROOT = Path(__file__).parents[2]


def of_runs(path: Path) -> bool:
    """Whether a run of the name of each pre-training is there, as there had to be."""
    data = YAML(typ="safe").load(path.read_text())
    return data["pretrainings"].keys() <= data["runs"].keys()


SHIPPED = [
    path
    for path in (ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml")))
    if of_runs(path)
]


def in_older_form(path: Path) -> Any:
    """The file as it was before: every run is pre-trained, whatever for, and names itself."""
    data = YAML(typ="safe").load(path.read_text())
    del data["pretrainings"]
    for name, run in data["runs"].items():
        if run["init_from"] == "none":
            run["init_from"] = name
    return data


def refused(data: object, folder: Path) -> str:
    path = folder / "params.yaml"
    path.write_text(text_of(data))
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value)


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shown_can_be_taken_over_and_says_the_same(shipped: Path, tmp_path: Path) -> None:
    older = in_older_form(shipped)
    told, _, shown = refused(older, tmp_path).partition("\n\n")
    assert told.startswith("params.yaml: of an older form: runs.")
    assert "\n" not in told
    path = tmp_path / "params.yaml"
    path.write_text(text_of({name: older[name] for name in older if name != "runs"}) + shown)
    assert load_params(path) == load_params(shipped)


def test_only_what_runs_start_from_is_an_entry_and_names_are_the_users_own(tmp_path: Path) -> None:
    older = in_older_form(ROOT / "params.yaml")
    runs = older["runs"]
    runs["Yes"] = runs.pop("demo-mp4sr") | {"init_from": "Yes", "seed": 7}
    runs["demo-mp4sr-id"]["init_from"] = "Yes"
    runs["idle"] = runs["Yes"] | {"init_from": "Yes"}
    older["recommend"]["run"] = "idle"
    shown = refused(older, tmp_path).partition("\n\n")[2]
    new = YAML(typ="safe").load(shown)
    assert new["pretrainings"] == {
        "Yes": {
            "dataset": "demo",
            "model": "mp4sr",
            "text": "sentences",
            "image": "keyword_sentences",
            "seed": 7,
        }
    }
    starts = {name: run["init_from"] for name, run in new["runs"].items()}
    assert starts == {
        "demo-popularity": "none",
        "demo-itemknn": "none",
        "demo-transitions": "none",
        "demo-tfidf": "none",
        "demo-meanvectors": "none",
        "demo-sasrec": "none",
        "demo-mp4sr-id": "Yes",
        "Yes": "Yes",
        "idle": "Yes",
    }


def test_other_errors_are_left_for_later_and_a_file_of_now_is_none(tmp_path: Path) -> None:
    older = in_older_form(ROOT / "params.yaml")
    older["evaluate"]["cutoffs"] = "ten"
    del older["runs"]["demo-sasrec"]["seed"]
    older["models"]["mp4sr"] = None
    assert "of an older form" in refused(older, tmp_path)
    now = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    assert told_in_new_form(now) is None
    now["runs"]["demo-mp4sr"]["init_from"] = "demo-sasrec"
    text = refused(now, tmp_path)
    assert "runs.demo-mp4sr.init_from: found 'demo-sasrec', allowed: none, demo-mp4sr" in text
    for odd in (None, [], {"runs": None}, {"runs": {"a": 3, "b": {"init_from": ["b"]}}}):
        assert told_in_new_form(odd) is None
