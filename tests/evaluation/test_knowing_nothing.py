from itertools import product

import numpy as np
import pytest
import torch

from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_validation
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.evaluation.knowing_nothing import popularity_metric, random_metric
from mmrec.models.popularity.model import Popularity
from tests.evaluation import oracles

NUM_ITEMS = 9
METRICS = ("recall@2", "ndcg@5", "mrr@50", "mrr")


def held_out():
    """Histories of every length, with repeats and with targets that were seen before."""
    generator = np.random.default_rng(3)
    lists = [generator.integers(1, NUM_ITEMS, length).tolist() for length in range(3, 20)]
    return hold_out_validation(Sequences.from_lists([*lists, [1, 2, 1, 4], list(range(1, 9))]))


def candidates(rows, row, *, mask_history):
    target = int(rows.targets[row])
    history = rows.histories.padded(torch.tensor([row]))[0].tolist() if mask_history else []
    return [item for item in range(1, NUM_ITEMS) if item == target or item not in history]


@pytest.mark.parametrize(("name", "mask_history"), product(METRICS, [False, True]))
def test_a_random_ranking_has_the_mean_of_all_places_among_the_candidates(name, mask_history):
    rows = held_out()
    expected = []
    for row in range(len(rows.targets)):
        count = len(candidates(rows, row, mask_history=mask_history))
        expected.append(oracles.metric(range(1, count + 1), name))
    found = random_metric(rows, NUM_ITEMS, name, mask_history=mask_history)
    assert found == pytest.approx(np.mean(expected), rel=1e-12)


def test_without_masking_recall_at_random_is_the_cutoff_by_the_catalogue():
    assert random_metric(held_out(), NUM_ITEMS, "recall@2", mask_history=False) == 2 / 8
    assert random_metric(held_out(), NUM_ITEMS, "recall@50", mask_history=False) == 1


@pytest.mark.parametrize(("name", "mask_history"), product(METRICS, [False, True]))
def test_popularity_is_what_the_popularity_model_is_measured_to_have(name, mask_history):
    rows, counts = held_out(), torch.tensor([99, 3, 0, 3, 8, 1, 0, 0, 5])
    ranks = rank_held_out(Popularity(counts), rows, mask_history=mask_history).ranks
    found = popularity_metric(rows, counts, name, mask_history=mask_history)
    assert found == pytest.approx(oracles.metric(ranks.tolist(), name))
