"""The loss of validation targets: the same softmax that trains, over the scores that are ranked."""

import math

import pytest
import torch

from mmrec.evaluation.metrics import VALIDATION_LOSS
from mmrec.models.data import TrainingRun
from mmrec.models.registry import system_of
from tests.models import worlds

HISTORIES = [[1, 2, 4, 3, 5], [6, 4, 2, 1], [2, 8, 7, 9]]  # targets 3, 2 and 7
COUNTS = torch.tensor([0, 3, 5, 2, 7, 0, 1, 0, 1, 1, 4, 5, 30])


def told(loss, mask_history, name="sasrec", **finetune):
    """What is told of an untrained model, and its scores where the targets are wanted."""
    params = worlds.params(name, finetune={"loss": loss, **finetune})
    world = worlds.data(training_counts=COUNTS, histories=HISTORIES)
    model = worlds.recommender(params, world=world)
    run = TrainingRun("finetune", seed=0, mask_history=mask_history)
    training = system_of(params).build_training(params, model, world, run)
    before = [worlds.scores(model, torch.tensor([history[:-2]])) for history in HISTORIES]
    return training.validation.metrics(), before


def by_hand(scores, power=0.0, *, trained_only=False):
    losses = []
    for history, (row,) in zip(HISTORIES, scores, strict=True):
        powers = {
            item: max(1, int(COUNTS[item])) ** power * math.exp(row[item])
            for item in range(1, len(COUNTS))
            if COUNTS[item] or not trained_only
        }
        target = history[-2]
        if target in powers:
            losses.append(-math.log(powers[target] / sum(powers.values())))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("mask_history", [True, False])
@pytest.mark.parametrize("popularity_power", [0.0, -0.5])
@pytest.mark.parametrize(
    ("loss", "power", "trained_only"),
    [
        ({"name": "full"}, 0.0, False),
        ({"name": "sampled"}, 0.0, False),
        ({"name": "in_batch"}, 0.0, False),
        ({"name": "full", "candidate_power": 0.5}, 0.5, False),
        ({"name": "full", "candidates": "trained"}, 0.0, True),
    ],
)
def test_it_is_the_softmax_of_the_training_whatever_is_masked_or_corrected(
    loss, power, trained_only, popularity_power, mask_history
):
    metrics, scores = told(loss, mask_history, popularity_power=popularity_power)
    expected = by_hand(scores, power, trained_only=trained_only)
    assert metrics[VALIDATION_LOSS] == pytest.approx(expected, rel=1e-5)
    assert next(iter(metrics)) == VALIDATION_LOSS  # beside the losses of the training


def test_a_model_of_masks_has_it_too():
    metrics, scores = told({"name": "full"}, False, name="bert4rec")
    assert metrics[VALIDATION_LOSS] == pytest.approx(by_hand(scores), rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        {"name": "bce"},
        {"name": "in_batch_sequences"},
        {"name": "sampled", "correction": False},
        {"name": "in_batch", "correction": False},
    ],
)
def test_other_losses_have_none(loss):
    assert VALIDATION_LOSS not in told(loss, False)[0]


def test_neither_has_a_sum_of_losses():
    assert VALIDATION_LOSS not in told({"name": "full"}, False, name="mp4sr", joint={})[0]
