"""Searches on the page: a table of the best, what follows from them, and two drawings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmrec.io import DataError, write_json
from mmrec.params.file import load_params
from mmrec.params.run_settings import run_settings
from mmrec.paths import Paths
from mmrec.report.page import Showcase, render_page
from mmrec.report.runs import SearchReport
from mmrec.report.search_plots import BEFORE, BEST, OTHERS, PRUNED
from mmrec.report.searches import load_searches, seen
from mmrec.run_paths import search_of
from tests.report.made_runs import runs
from tests.report.outline import parse
from tests.report.worlds import PROTOCOL

ROOT = Path(__file__).parents[2]
LOSSES = [{"name": "full"}, {"name": "sampled", "num_negatives": 8}]
SPACE = [
    {"setting": "finetune.learning_rate", "options": {"low": 1e-3, "high": 1e-2, "log": True}},
    {"setting": "architecture.num_layers", "options": {"low": 1, "high": 3, "log": False}},
    {"setting": "finetune.loss", "options": LOSSES},
]


def trial(number: int, value: float | None, state: str = "complete") -> dict[str, Any]:
    return {
        "trial": number,
        "state": state,
        "settings": {
            "finetune.learning_rate": 1e-3 * (1 + number % 9),
            "architecture.num_layers": 1 + number % 3,
            "finetune.loss": LOSSES[number % 2],
        },
        "value": value,
        "epoch": None if value is None else 2,
        "epochs": 3,
        "seconds": 1.5,
        "reason": "it <b>diverged</b>" if value is None else None,
    }


def found(*trials: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "search": "wide",
        "run": "shop-sasrec",
        "objective": "ndcg@10",
        "num_trials": 40,
        "sampler": "tpe",
        "pruner": "median",
        "space": SPACE,
        "settings": {},
        "trials": trials,
        "importance": {"finetune.learning_rate": 0.9, "architecture.num_layers": 0.1},
    } | changes


FEW = [
    *(trial(number, value) for number, value in enumerate((0.1, 0.3, 0.2))),
    trial(3, 0.4, "pruned"),
    trial(4, None, "failed"),
]


def report(*trials: dict[str, Any], **changes: Any) -> SearchReport:
    return SearchReport("wide", "shop-sasrec", found(*trials, **changes), [])


def test_the_best_are_first_and_what_was_ended_early_is_never_best() -> None:
    shown = seen(report(*FEW))
    assert [row.trial for row in shown.rows] == ["1", "2", "0, as it was", "3", "4"]
    assert [row.is_best for row in shown.rows] == [True, False, False, False, False]
    assert shown.rows[0].cells[-3:] == ["0.002", "2", "sampled, num_negatives 8"]
    text = " ".join(shown.sentences)
    assert "Trial 1 is the best, NDCG@10 0.3000, 0.2000 more than trial 0. The best of 3" in text
    assert shown.plots[0].names == (BEST, BEFORE, OTHERS, PRUNED)
    assert seen(report(*FEW)).plots == shown.plots, "the same bytes every time"


def test_only_the_first_of_many_are_shown_and_the_rest_is_counted() -> None:
    shown = seen(report(*(trial(number, 0.1 + number / 100) for number in range(40))))
    assert len(shown.rows) == 25
    assert shown.left_out == 15
    assert shown.file == "data/runs/shop-sasrec/searches/wide.json"


@pytest.mark.parametrize(
    ("trials", "says"),
    [
        ([], "no trial yet"),
        ([trial(0, None, "failed")], "No trial is complete."),
        ([trial(0, 0.3), trial(1, 0.2)], "No trial is better than the settings that the run had"),
        ([trial(1, 0.2), trial(2, 0.2)], "Trial 1 is the best, NDCG@10 0.2000. The best of 2"),
    ],
)
def test_searches_with_little_in_them_are_shown(trials: list[dict[str, Any]], says: str) -> None:
    assert says in " ".join(seen(report(*trials, importance={})).sentences)


def test_a_first_trial_beyond_the_space_is_drawn() -> None:
    outside = trial(0, 0.1)
    outside["settings"] = {"finetune.learning_rate": 0.5, "finetune.loss": {"name": "bce"}}
    shown = seen(report(outside, trial(1, 0.2)))
    assert ">bce<" in shown.plots[0].svg
    assert ">0.5<" in shown.plots[0].svg
    assert shown.rows[1].cells[-2:] == ["–", "bce"]


def test_the_page_has_a_section_where_there_are_any(tmp_path: Path) -> None:
    pages = [
        render_page(
            title="x",
            datasets=[],
            runs=[replace(runs()[1], searches=searches)],
            protocol=PROTOCOL,
            showcase=Showcase("shop", "shop-sasrec"),
        )
        for searches in ([], [replace(report(*FEW), changed=["model"])])
    ]
    without, page = map(parse, pages)
    assert not without.find(ident="searches")
    (section,) = page.find(ident="searches")
    assert "wide: 5 of 40 trials of shop-sasrec" in section.words
    assert "Made with other settings than those of now (model)." in section.words
    assert "Trial 4 failed: it <b>diverged</b>" in section.words
    assert len(section.find("svg", css="plot")) == 2


def test_searches_are_read_with_what_has_changed_since(tmp_path: Path) -> None:
    params, paths = load_params(ROOT / "params.yaml"), Paths(tmp_path)
    assert load_searches(params, paths, "demo-sasrec") == []
    settings = run_settings(params, "demo-sasrec")
    path = search_of(paths.run("demo-sasrec"), "wide")
    write_json(found(*FEW, settings=settings), path)
    assert [one.changed for one in load_searches(params, paths, "demo-sasrec")] == [[]]
    write_json(found(*FEW, settings=settings | {"model": {}}), path)
    assert [one.changed for one in load_searches(params, paths, "demo-sasrec")] == [["model"]]
    write_json(found(*FEW, objective=None), path)
    with pytest.raises(DataError, match=r"wide\.json: objective: .*, found None"):
        load_searches(params, paths, "demo-sasrec")
