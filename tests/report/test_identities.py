"""What sets runs apart: where they start from, how long they trained, which epoch they kept."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mmrec.report.identities import epochs, identities, shortfall, shortfalls
from tests.report.made_runs import a_pretraining, a_run, pretrainings, runs


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
    plain = a_run("plain", "mp4sr", 0.2, epochs=3, pretrained=False)
    large = a_pretraining("large", "mp4sr", 0.3)
    made = [*runs(), replace(plain, name="moved", pretraining=large), plain]
    rows = [(row.starts_from, row.pretraining) for row in identities(made)]
    assert rows == [
        ("–", "–"),
        ("random weights", "–"),
        ("shop-mp4sr", "40 epochs, best 39"),
        ("large", "40 epochs, best 39"),
        ("random weights", "–"),
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
    large = replace(a_pretraining("large", "mp4sr", 0.3), history=history)
    told = ("large: pre-training is", "shop-sasrec: fine-tuning is")
    lines = [f"{what} {said}" for what in told if said]
    assert [*shortfalls([*pretrainings(), large], [*runs(), sasrec])] == lines


def test_without_references_nothing_is_told() -> None:
    assert shortfall({"epoch": [1], "recall@20": [0.0]}, "recall@20") == ""
    assert shortfall({}, "recall@20") == ""
