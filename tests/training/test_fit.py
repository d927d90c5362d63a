"""One training of a run: what it depends on, and what it writes down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from mmrec.evaluation.evaluator import validation_metrics
from mmrec.features.table import FeatureTable
from mmrec.io import DataError
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.loading import TrainedWeights
from mmrec.params.models.registry import ModelParams
from mmrec.training import trainer
from mmrec.training.finished import save_model
from mmrec.training.fit import fit
from mmrec.training.history import validation_of
from tests.training.tiny_run import run_data

NUM_ITEMS = 12
TRAINING = {"epochs": 1, "patience": 1}


def model(**stages: Any) -> ModelParams:
    settings = {
        "name": "mp4sr",
        "architecture": {"embedding_dim": 8, "num_experts": 2},
        "pretrain": TRAINING,
        "finetune": TRAINING,
        **stages,
    }
    return TypeAdapter(ModelParams).validate_python(settings)


def data(lists: list[list[int]] | None = None) -> ModelData:
    return run_data(NUM_ITEMS, lists or histories())


def histories() -> list[list[int]]:
    return [[(user + step) % NUM_ITEMS + 1 for step in range(6)] for user in range(20)]


def fitted(
    params: ModelParams,
    stage: Any,
    tmp_path: Any,
    *,
    run: ModelData | None = None,
    mask_history: bool = False,
) -> Any:
    return fit(
        params,
        run or data(),
        TrainingRun(stage, 1, mask_history),
        weights=None,
        checkpoint_dir=tmp_path / "checkpoints",
        history_path=tmp_path / "history.csv",
    )


def test_settings_of_fine_tuning_leave_no_trace_in_pre_training(tmp_path: Any) -> None:
    records = []
    for name, rate in (("one", 1e-3), ("other", 5e-4)):
        params = model(finetune={**TRAINING, "learning_rate": rate})
        recommender, record = fitted(params, "pretrain", tmp_path / name)
        save_model(recommender, record, data().items, tmp_path / name / "pretrained")
        records.append([p.read_bytes() for p in sorted((tmp_path / name / "pretrained").iterdir())])
    assert len(records[0]) == 3
    assert records[0] == records[1]


def test_the_epoch_is_chosen_on_so_many_users_and_the_same_every_time(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked: list[list[int]] = []

    def noted(recommender: Any, held_out: Any, **keywords: Any) -> Any:
        ranked.append(held_out.histories.users.tolist())
        return validation_metrics(recommender, held_out, **keywords)

    monkeypatch.setattr("mmrec.models.next_item_training.validation_metrics", noted)
    fitted(model(), "finetune", tmp_path / "all")
    few = model(finetune={"epochs": 2, "patience": 2, "validation_users": 7})
    fitted(few, "finetune", tmp_path / "few")
    everyone, first, second = ranked
    assert everyone == list(range(20))
    assert len(first) == 7
    assert first == second


def test_an_interrupted_pre_training_continues_whatever_fine_tuning_is_set_to(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fitted(model(), "pretrain", tmp_path)
    caplog.set_level("INFO")
    fitted(model(finetune={**TRAINING, "learning_rate": 5e-4}), "pretrain", tmp_path)
    assert "continues after epoch 1" in caplog.text
    caplog.clear()
    fitted(model(pretrain={**TRAINING, "learning_rate": 5e-4}), "pretrain", tmp_path)
    assert "belongs to other settings" in caplog.text


def test_a_training_is_continued_only_with_what_it_was_validated_on(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fitted(model(), "finetune", tmp_path)
    caplog.set_level("INFO")
    tested = data([[*items[:-1], items[-1] % NUM_ITEMS + 1] for items in histories()])
    fitted(model(), "finetune", tmp_path, run=tested)
    assert "continues after epoch 1" in caplog.text, "the test items are not validated on"
    targets = [[*items[:-2], items[-2] % NUM_ITEMS + 1, items[-1]] for items in histories()]
    caplog.clear()
    fitted(model(), "finetune", tmp_path, run=data(targets))
    assert "belongs to other settings" in caplog.text
    caplog.clear()
    fitted(model(), "finetune", tmp_path, run=data(targets), mask_history=True)
    assert "belongs to other settings" in caplog.text


def test_a_training_starts_from_weights_that_know_more_than_it_reads(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recommender, _ = fitted(model(), "pretrain", tmp_path / "pretrained")
    weights = TrainedWeights(recommender.state_dict(), data().items["item_id"], "there")
    nothing = FeatureTable(torch.empty(0, 0), torch.zeros(NUM_ITEMS + 2, dtype=torch.int64))
    run = data()
    caplog.set_level("INFO")
    fit(
        model(finetune={**TRAINING, "score_branches": "text"}),
        replace(run, features=run.features | {"image": Feature(lambda: nothing)}),
        TrainingRun("finetune", 1, mask_history=False),
        weights=weights,
        checkpoint_dir=tmp_path / "checkpoints",
        history_path=tmp_path / "history.csv",
    )
    (line,) = (line for line in caplog.messages if line.startswith("pre-trained parameters: "))
    fresh, _, unused = line.partition("; fresh: ")[2].partition("; unused: ")
    assert fresh == "item_ids"
    assert unused
    assert all("image" in name for name in unused.split(", "))


@pytest.mark.parametrize("cold", [False, True])
def test_nobody_to_validate_on_is_found_before_training(
    cold: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "run_epoch", None)  # nothing is trained
    run = data([[1, 2], [2, 3], [3, 4]])
    if cold:
        # Items 1 to 4 train user 0; every validation target is cold.
        run = data([[1, 2, 3, 4, 5, 6], *([item, 1, 9, 2] for item in range(2, 5))])
        is_cold = torch.zeros(NUM_ITEMS + 1, dtype=torch.bool)
        is_cold[[5, 9]] = True
        run = replace(run, is_cold=is_cold)
    params = model(pretrain={**TRAINING, "items": "warm"})
    with pytest.raises(DataError, match="no user to validate on"):
        fitted(params, "pretrain", tmp_path, run=run)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("killed_in", [1, 2, 3])
def test_a_training_killed_in_any_epoch_ends_with_the_same_bits(
    stage: Any, killed_in: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = {"epochs": 3, "patience": 3}
    params = model(pretrain=long, finetune=long)
    whole, _ = fitted(params, stage, tmp_path / "whole")
    run_epoch, epochs = trainer.run_epoch, iter((1, 2, 3))

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        losses = run_epoch(*arguments, **keywords)
        if next(epochs) == killed_in:
            raise KeyboardInterrupt
        return losses

    monkeypatch.setattr(trainer, "run_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(params, stage, tmp_path)
    monkeypatch.undo()
    continued, _ = fitted(params, stage, tmp_path)
    for name, value in whole.state_dict().items():
        assert torch.equal(continued.state_dict()[name], value), name
    history = (tmp_path / "history.csv").read_bytes()
    assert history == (tmp_path / "whole" / "history.csv").read_bytes()


def test_who_watches_is_told_each_validation_and_may_end_the_training(tmp_path: Any) -> None:
    class EnoughError(Exception):
        pass

    seen: list[float] = []

    def watch(metrics: Mapping[str, float]) -> None:
        seen.append(metrics["ndcg@10"])
        if len(seen) == 2:
            raise EnoughError

    params = model(finetune={"epochs": 5, "patience": 5})
    history = tmp_path / "history.csv"
    with pytest.raises(EnoughError):
        fit(
            params,
            data(),
            TrainingRun("finetune", 1, False),
            weights=None,
            checkpoint_dir=tmp_path / "checkpoints",
            history_path=history,
            watch=watch,
        )
    assert validation_of(history, 1)["ndcg@10"] == seen[0]
    assert not [name for name in validation_of(history, 1) if name.endswith(("loss", "random"))]
