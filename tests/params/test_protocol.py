"""Metrics, lists and data that contradict each other are said to, and what to change."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.params.protocol import contradictions

ROOT = Path(__file__).parents[2]
SHIPPED = [ROOT / "params.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]


def said(
    duplicates: str, *, evaluated: bool | str, validated: bool | None = None, keep_seen: bool
) -> list[str]:
    """Of the shipped params, changed."""
    data: Any = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    data["datasets"]["demo"]["clean"]["duplicates"] = duplicates
    data["evaluate"]["mask_history"] = evaluated
    data["validation"]["mask_history"] = evaluated if validated is None else validated
    data["recommend"]["keep_seen"] = keep_seen
    return list(contradictions(Params.model_validate(data)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_shipped_contradicts_itself_but_as_published(path: Path) -> None:
    found = list(contradictions(load_params(path)))
    assert len(found) == path.stem.startswith("mp4sr_")
    assert all("what a user has seen is never the answer and competes" in one for one in found)


@pytest.mark.parametrize("duplicates", ["keep_last", "keep_first"])
def test_seen_items_that_compete_though_they_are_never_the_answer(duplicates: str) -> None:
    (sentence,) = said(duplicates, evaluated=False, keep_seen=False)
    assert f"datasets.demo.clean.duplicates: {duplicates}: what a user has seen is never the" in (
        sentence
    )
    assert "set mask_history: true (of evaluate and validation)" in sentence
    assert said(duplicates, evaluated=True, keep_seen=False) == []


def test_seen_items_that_are_left_out_though_they_may_be_the_answer() -> None:
    (sentence,) = said("keep_all", evaluated=True, keep_seen=False)
    assert "duplicates: keep_all: an item that a user repeats is the answer" in sentence
    assert "set mask_history: false (of evaluate and validation)" in sentence
    assert said("keep_all", evaluated=False, keep_seen=True) == []


@pytest.mark.parametrize(
    ("duplicates", "evaluated", "what"),
    [
        ("keep_all", False, "the lists leave out what a user has seen, the metrics rank it"),
        ("keep_last", True, "the lists hold what a user has seen, the metrics leave it out"),
    ],
)
def test_lists_of_other_items_than_those_ranked(
    duplicates: str, evaluated: bool, what: str
) -> None:
    (sentence,) = said(duplicates, evaluated=evaluated, keep_seen=evaluated)
    assert what in sentence
    advised = re.search(r"set keep_seen: (\w+)$", sentence)
    assert advised
    assert said(duplicates, evaluated=evaluated, keep_seen=advised[1] == "true") == []


def test_best_epochs_chosen_by_another_protocol() -> None:
    (sentence,) = said("keep_last", evaluated=True, validated=False, keep_seen=False)
    assert "best epochs are chosen with seen items competing, and evaluated with seen items" in (
        sentence
    )


def test_seen_items_at_score_0_are_for_repeating_a_table() -> None:
    (sentence,) = said("keep_last", evaluated="zero", validated=True, keep_seen=False)
    assert sentence.startswith("evaluate.mask_history: zero, which is for repeating a published")
    first, second, third = said("keep_last", evaluated="zero", validated=False, keep_seen=True)
    assert "the metrics give it the score 0; set keep_seen: false" in first
    assert "validation.mask_history: false, but evaluate.mask_history: zero" in second
    assert third == sentence
    repeats, *_ = said("keep_all", evaluated="zero", validated=True, keep_seen=False)
    assert "an item that a user repeats is the answer" in repeats


def test_no_best_epoch_is_chosen_where_nothing_is_trained() -> None:
    data: Any = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    data["validation"]["mask_history"] = not data["evaluate"]["mask_history"]
    assert len(list(contradictions(Params.model_validate(data)))) == 1
    data["runs"] = {"demo-popularity": data["runs"]["demo-popularity"]}
    data["recommend"]["run"] = "demo-popularity"
    assert list(contradictions(Params.model_validate(data))) == []


def test_the_check_of_params_warns_and_goes_on(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("mask_history: true", "mask_history: false")
    (tmp_path / "params.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mmrec.params"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: params.yaml: evaluate.mask_history: false, but datasets.demo")
