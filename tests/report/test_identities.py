"""What sets runs apart: where they start from, how long they trained, which epoch they kept."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mmrec.report.identities import epochs, identities, shortfall, shortfalls
from tests.report.made_runs import a_run, runs


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.1, 0.3, 0.2], "3 epochs, best 2"),
        ([0.3, 0.1, 0.3], "3 epochs, best 1"),
        ([math.nan, 0.0, math.nan], "3 epochs, best 2"),
        ([math.nan] * 3, "3 epochs"),
        ([0.5], "1 epoch, best 1"),
    ],
)
def test_best_epoch_is_the_first_with_the_highest_metric(values: list[float], said: str) -> None:
    history = {"epoch": list(range(1, len(values) + 1)), "loss": values[::-1], "recall@20": values}
    assert epochs(history, "recall@20") == said


def test_history_without_the_metric_or_without_epochs() -> None:
    assert epochs({"epoch": [1, 2]}, "recall@20") == "2 epochs"
    assert epochs({}, "recall@20") == "–"


def test_start_is_the_pretraining_that_was_loaded() -> None:
    pretrained = a_run("large", "mp4sr", 0.2, epochs=3, pretrained=True)
    plain = a_run("plain", "mp4sr", 0.2, epochs=3, pretrained=False)
    made = [
        *runs(),
        replace(plain, name="own", init_from="large"),
        replace(plain, name="idle", init_from="shop-sasrec"),
    ]
    named = {run.name: run for run in [*made, pretrained]}
    assert [row.starts_from for row in identities(made, named)] == [
        "–",
        "random weights",
        "own pre-training",
        "large",
        "random weights",
    ]


@pytest.mark.parametrize(
    ("random", "popularity", "said"),
    [
        (0.3, 0.1, "no better than a random ranking (0.3000)"),
        (0.4, 0.5, "no better than a random ranking (0.4000)"),
        (0.1, 0.3, "no better than items by popularity (0.3000)"),
        (0.1, 0.2, ""),
    ],
)
def test_a_best_epoch_that_knows_nothing_is_told(
    random: float, popularity: float, said: str
) -> None:
    history = {
        "epoch": [1, 2, 3],
        "recall@20": [0.1, 0.3, math.nan],
        "recall@20_random": [random] * 3,
        "recall@20_popularity": [popularity] * 3,
    }
    assert shortfall(history, "recall@20") == said
    sasrec = replace(runs()[1], finetuning=history)
    lines = [f"shop-sasrec: fine-tuning is {said}"] if said else []
    assert shortfalls([*runs(), sasrec]) == lines


def test_without_references_nothing_is_told() -> None:
    assert shortfall({"epoch": [1], "recall@20": [0.0]}, "recall@20") == ""
    assert shortfall({}, "recall@20") == ""
