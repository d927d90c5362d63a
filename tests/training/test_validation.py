"""What a best epoch is worth: rankings that know nothing beside it, and its protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import torch

from mmrec.training.finished import read_record, save_model, save_note
from mmrec.training.validation import warn_if_validated_otherwise
from tests.training.test_fit import NUM_ITEMS, TRAINING, data, fitted, model


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("masked", [False, True])
def test_every_epoch_stands_beside_rankings_that_know_nothing(
    stage: Any, masked: bool, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    training = {"epochs": 2, "patience": 2, "metric": "recall@3"}
    params = model(pretrain=training, finetune=training)
    fitted(params, stage, tmp_path, mask_history=masked)
    history = pl.read_csv(tmp_path / "history.csv")
    # 4 of 12 items have been seen; all are as popular, and ties count against a ranking.
    chance = 3 / 8 if masked else 3 / 12
    assert history["recall@3_random"].to_list() == [chance] * 2
    assert history["recall@3_popularity"].to_list() == [0] * 2
    told = [line for line in caplog.messages if "of a random ranking" in line]
    assert told == [
        f"{stage}: validation recall@3 of a random ranking {chance:.4f}, of items by popularity "
        "0.0000"
    ]


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_best_epoch_that_knows_nothing_is_kept_and_warned_of(
    stage: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {**TRAINING, "metric": "recall@3"}
    params = model(pretrain=training, finetune=training)
    popular = replace(data(), training_counts=torch.arange(NUM_ITEMS + 1))
    said = {}
    for value in (0.2, 0.25, 0.3, 0.9):
        monkeypatch.setattr(
            "mmrec.models.next_item_training.validation_metrics",
            lambda *_, v=value, **__: {"recall@3": v},
        )
        caplog.clear()
        fitted(params, stage, tmp_path / str(value), run=popular)
        said[value] = " ".join(line for line in caplog.messages if "best epoch" in line)
    assert "0.2000, is no better than a random ranking's, 0.2500" in said[0.2]
    assert "no better than a random ranking's" in said[0.25]
    assert "likely learning_rate is too high or too low, epochs are too few" in said[0.25]
    assert "0.3000, is no better than that of items by popularity, 0.3000" in said[0.3]
    assert said[0.9] == ""


def test_a_metric_that_tells_no_ranking_from_another_is_warned_of(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fitted(model(finetune={**TRAINING, "metric": "recall@12"}), "finetune", tmp_path)
    assert "every ranking of so few items has a recall@12 of 1" in caplog.text
    assert "no better than" not in caplog.text


def test_ranking_by_another_protocol_than_that_of_the_best_epoch_is_said(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recommender, record = fitted(model(), "finetune", tmp_path, mask_history=False)
    save_model(recommender, record, data().items, tmp_path / "finetuned")
    caplog.clear()
    warn_if_validated_otherwise(read_record(tmp_path / "finetuned"), mask_history=False)
    assert caplog.text == ""
    warn_if_validated_otherwise(read_record(tmp_path / "finetuned"), mask_history=True)
    assert (
        "best epoch was chosen with seen items competing, and is ranked with them left out; for "
        "one protocol set validation.mask_history: true, which trains again"
    ) in caplog.text


def test_a_model_that_trains_nothing_chose_no_epoch(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    save_note({"model": {"name": "popularity"}}, tmp_path / "finetuned")
    warn_if_validated_otherwise(read_record(tmp_path / "finetuned"), mask_history=False)
    assert caplog.text == ""
