import csv
import io
import re

import pytest
import torch
from tqdm import tqdm

from mmrec.training.checkpoint import discard_checkpoints
from mmrec.training.trainer import DivergenceError
from tests.training.tiny import (
    TinyObjective,
    equal_weights,
    history,
    tiny_batches,
    tiny_metrics,
    tiny_train,
)


class KilledError(Exception):
    """A kill at a place of our choice."""


def stop_after(objective, validations, error=KilledError):
    calls = iter(range(validations))

    def validate():
        if next(calls, None) is None:
            raise error
        return tiny_metrics(objective)

    return validate


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_resumed_training_is_bit_equal_to_an_uninterrupted_one(tmp_path, done):
    whole, first, second = TinyObjective(), TinyObjective(), TinyObjective()
    expected = tiny_train(tmp_path / "whole", whole)
    with pytest.raises(KilledError):
        tiny_train(tmp_path / "cut", first, stop_after(first, done))
    (tmp_path / "cut" / "history.csv").unlink()  # as DVC does before a stage runs again
    torch.rand(done + 3)
    result = tiny_train(tmp_path / "cut", second)
    assert result.resumed_after == done
    assert (result.best_epoch, result.best_metric) == (expected.best_epoch, expected.best_metric)
    assert equal_weights(whole, second)
    assert history(tmp_path / "cut") == history(tmp_path / "whole")


def test_finished_training_is_not_run_again_until_discarded(tmp_path):
    first, second, third = TinyObjective(), TinyObjective(), TinyObjective()
    tiny_train(tmp_path, first)
    assert tiny_train(tmp_path, second, stop_after(second, 0)).resumed_after == 4
    assert equal_weights(first, second)
    discard_checkpoints(tmp_path / "checkpoints")
    assert tiny_train(tmp_path, third).resumed_after == 0
    assert not list(tmp_path.glob(".checkpoints*"))


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"temperature": 0.1}},
        {"learning_rate": 0.02},
        {"seed": 8},
        {"epochs": 5},
        {"batches": tiny_batches(seed=1)},
    ],
)
def test_checkpoint_of_other_settings_is_not_continued(tmp_path, change, caplog):
    tiny_train(tmp_path, TinyObjective(), epochs=2)
    assert tiny_train(tmp_path, TinyObjective(), **{"epochs": 2, **change}).resumed_after == 0
    assert "belongs to other settings" in caplog.text


@pytest.mark.parametrize("other", [TinyObjective(seed=1), TinyObjective(features=2.0)])
def test_checkpoint_of_other_initial_weights_or_features_is_not_continued(tmp_path, other):
    tiny_train(tmp_path, TinyObjective(), epochs=2)
    assert tiny_train(tmp_path, other, epochs=2).resumed_after == 0


def test_best_epoch_is_kept_and_training_stops_after_patience(tmp_path):
    objective = TinyObjective()
    values = [0.1, 0.3, 0.2, 0.3, 0.1, 0.9]
    seen = []

    def validate():
        seen.append({name: value.clone() for name, value in objective.state_dict().items()})
        return {"recall@20": values[len(seen) - 1]}

    result = tiny_train(tmp_path, objective, validate, epochs=20, patience=3)
    assert (result.best_epoch, result.best_metric, result.epochs_run) == (2, 0.3, 5)
    assert all(torch.equal(seen[1][name], value) for name, value in objective.state_dict().items())


@pytest.mark.parametrize("killed_in", [None, 3, 4])
def test_the_last_epoch_is_kept_where_asked_resumed_or_not(tmp_path, killed_in):
    whole, objective = TinyObjective(), TinyObjective()
    expected = tiny_train(tmp_path / "whole", whole, keep="last")
    if killed_in is not None:
        with pytest.raises(KilledError):
            tiny_train(tmp_path, objective, stop_after(objective, killed_in - 1), keep="last")
        objective = TinyObjective()
    tiny_train(tmp_path, objective, keep="last")
    again = TinyObjective()  # with all epochs behind it
    result = tiny_train(tmp_path, again, keep="last")
    assert result.kept_epoch == expected.kept_epoch == result.epochs_run == 4
    assert equal_weights(whole, objective)
    assert equal_weights(whole, again)


def test_the_last_epoch_is_not_the_best(tmp_path):
    objective = TinyObjective()
    values, seen = [0.1, 0.3, 0.2], []

    def validate():
        seen.append({name: value.clone() for name, value in objective.state_dict().items()})
        return {"recall@20": values[len(seen) - 1]}

    result = tiny_train(tmp_path, objective, validate, epochs=3, keep="last")
    assert (result.kept_epoch, result.kept_metric) == (3, 0.2)
    assert (result.best_epoch, result.best_metric, result.epochs_run) == (2, 0.3, 3)
    assert all(torch.equal(seen[2][name], value) for name, value in objective.state_dict().items())


def test_the_best_and_the_last_are_of_one_course(tmp_path):
    best, last = TinyObjective(), TinyObjective()
    kept = tiny_train(tmp_path / "best", best, epochs=4).kept_epoch
    tiny_train(tmp_path / "last", last, epochs=4, keep="last")
    assert history(tmp_path / "best") == history(tmp_path / "last")
    assert equal_weights(best, last) == (kept == 4)


def test_history_has_a_row_per_epoch_with_losses_and_metrics(tmp_path):
    tiny_train(tmp_path, TinyObjective(), epochs=3)
    with (tmp_path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "epoch", "learning_rate", "loss", "next_item", "small", "recall@20", "mrr",
    ]  # fmt: skip
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row in rows:
        assert float(row["loss"]) == pytest.approx(float(row["next_item"]) + float(row["small"]))
    assert float(rows[2]["next_item"]) < float(rows[0]["next_item"])


def test_loss_is_the_mean_over_targets_whatever_the_batches(tmp_path):
    class Constant(TinyObjective):
        def forward(self, batch):
            return {"targets": (batch.targets != 0).sum() + 0 * self.bias.sum()}

    tiny_train(tmp_path, Constant(), epochs=1)
    counts = [int((batch.targets != 0).sum()) for batch in tiny_batches().epoch(1)]
    expected = sum(count**2 for count in counts) / sum(counts)
    assert float(history(tmp_path)[1][2]) == pytest.approx(expected)


class Diverging(TinyObjective):
    """Takes the root of a negative number in one batch of the second epoch."""

    def __init__(self, at):
        super().__init__()
        self.steps, self.at = 0, at

    def forward(self, batch):
        losses = super().forward(batch)
        self.steps += 1
        if self.steps == self.at:
            losses["next_item"] = losses["next_item"] + (self.bias.sum() * 0 - 1).sqrt()
        return losses


def test_divergence_names_epoch_batch_and_parameters_and_keeps_the_best(tmp_path):
    per_epoch = len(tiny_batches().epoch(1))
    with pytest.raises(DivergenceError) as caught:
        tiny_train(tmp_path, Diverging(per_epoch + 3))
    message = str(caught.value)
    assert "the loss or gradients are not finite in epoch 2, batch 3" in message
    assert "losses not finite: next_item;" in message
    assert "parameters not finite: none; gradients not finite: bias" in message
    assert "lower learning_rate" in message
    assert "epoch 1, the last before it; epoch 1, the best" in message
    assert (tmp_path / "checkpoints" / "best-000001" / "weights.safetensors").exists()


def test_a_gradient_that_is_not_finite_is_told_apart_from_the_loss(tmp_path):
    class SteepAtZero(TinyObjective):
        def forward(self, batch):
            return super().forward(batch) | {"root": (0 * self.bias.sum()).sqrt()}

    words = "the loss or gradients are not finite in epoch 1, batch 1: losses not finite: none; "
    words += "parameters not finite: none; gradients not finite: bias;"
    with pytest.raises(DivergenceError, match=words):
        tiny_train(tmp_path, SteepAtZero())


def test_divergence_seen_late_is_traced_to_its_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("mmrec.training.trainer.CHECK_EVERY", {"cpu": 1000})

    class DivergingAgain(Diverging):
        def forward(self, batch):
            if self.steps == 2 * len(tiny_batches().epoch(1)):
                self.steps = len(tiny_batches().epoch(1))  # the second epoch starts again
            return super().forward(batch)

    with pytest.raises(DivergenceError, match=r"epoch 2, batch 4: .*gradients not finite: bias;"):
        tiny_train(tmp_path, DivergingAgain(len(tiny_batches().epoch(1)) + 4))


def test_interruption_says_where_and_how_to_continue(tmp_path, caplog):
    objective = TinyObjective()
    with pytest.raises(KeyboardInterrupt):
        tiny_train(tmp_path, objective, stop_after(objective, 2, KeyboardInterrupt))
    assert "interrupted in epoch 3; epoch 2 is kept in" in caplog.text
    assert "`dvc repro` continues" in caplog.text
    assert tiny_train(tmp_path, TinyObjective()).resumed_after == 2


def test_history_is_whole_when_a_training_dies(tmp_path):
    objective = TinyObjective()
    with pytest.raises(KilledError):
        tiny_train(tmp_path, objective, stop_after(objective, 2))
    assert [row[0] for row in history(tmp_path)] == ["epoch", "1", "2"]


def test_one_line_shows_rate_remaining_time_loss_and_metric(tmp_path, monkeypatch):
    shown = io.StringIO()

    def on_a_terminal(*items, **settings):
        settings |= {"disable": False, "file": shown, "mininterval": 0, "ncols": 200}
        return tqdm(*items, **settings)

    monkeypatch.setattr("mmrec.stage.tqdm", on_a_terminal)
    tiny_train(tmp_path, TinyObjective(), epochs=2)
    lines = [line for line in shown.getvalue().split("\r") if "epoch 2" in line]
    whole = r"finetune epoch 2 \(recall@20 0\.\d{4}, best 0\.\d{4}\): .*\d+/\d+ "
    whole += r"\[\d\d:\d\d<\d\d:\d\d, .*batch/s, loss=\d"
    assert any(re.match(whole, line) for line in lines), lines


def test_unknown_metric_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"'ndcg@3' is not among .*\(recall@20, mrr\)"):
        tiny_train(tmp_path, TinyObjective(), metric="ndcg@3")


def test_metric_that_is_not_a_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="recall@20 is nan"):
        tiny_train(tmp_path, TinyObjective(), lambda: {"recall@20": float("nan")})


def test_objective_without_trainable_parameters_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no trainable parameter"):
        tiny_train(tmp_path, TinyObjective().requires_grad_(False))


def test_gradients_are_clipped_to_the_norm(tmp_path):
    steps = []

    class Recorder(torch.optim.Adam):
        def step(self, closure=None):
            gradients = [p.grad for group in self.param_groups for p in group["params"]]
            steps.append(torch.nn.utils.get_total_norm([g for g in gradients if g is not None]))
            return super().step(closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.optim.Adam", Recorder)
        tiny_train(tmp_path, TinyObjective(), epochs=1, max_grad_norm=0.01)
    assert steps
    assert max(steps) <= 0.01 * (1 + 1e-5)
