"""Metrics of lists against double loops over users, items and pairs."""

from __future__ import annotations

import doctest
import math
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_test
from mmrec.evaluation import evaluator
from mmrec.evaluation import lists as metrics_of_lists
from mmrec.evaluation.evaluator import lists_table, rank_held_out
from mmrec.evaluation.lists import (
    coverage,
    gini,
    is_list_metric,
    list_cutoffs,
    padded_lists,
    summarize_lists,
)
from mmrec.models.itemknn.model import ItemKnn, nearest_neighbours
from tests.evaluation.test_evaluator import MeanRecommender, make_sequences

NUM_ITEMS = 13  # without padding
COUNTS = np.array([0, 0, 5, 1, 9, 3, 0, 2, 2, 8, 1, 1, 40, 7])
GENERATOR = np.random.default_rng(0)
LISTS = [
    GENERATOR.permutation(np.arange(1, NUM_ITEMS + 1))[: GENERATOR.integers(0, 6)].tolist()
    for _ in range(30)
]
LISTS[0] = []
LENGTHS = GENERATOR.integers(1, 12, 30)
VECTORS = GENERATOR.normal(size=(NUM_ITEMS + 1, 4)).astype(np.float32)
VECTORS[[0, 3, 5]] = 0  # padding, and two items without


def table(lists: list[list[int]]) -> pa.Table:
    columns = {"user_index": list(range(len(lists))), "items": lists}
    return pa.table(columns, schema=schemas.LISTS)


def slow(lists: list[list[int]], cutoff: int) -> dict[str, float]:
    """Every metric by its definition."""
    lists = [one[:cutoff] for one in lists]
    listed = [item for one in lists for item in one]
    times = [listed.count(item) for item in range(1, NUM_ITEMS + 1)]
    apart = sum(abs(one - other) for one in times for other in times)
    novelties, popularities, diversities = [], [], []
    for one in lists:
        if one:
            shares = [max(1, COUNTS[item]) / COUNTS.sum() for item in one]
            novelties.append(np.mean([-math.log2(share) for share in shares]))
            popularities.append(np.mean([COUNTS[item] for item in one]))
        pairs = [
            1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
            for a, b in combinations([VECTORS[item] for item in one if VECTORS[item].any()], 2)
        ]
        if pairs:
            diversities.append(np.mean(pairs))
    return {
        f"coverage@{cutoff}": len(set(listed)) / NUM_ITEMS,
        # Half the mean absolute difference of two items, over the mean.
        f"gini@{cutoff}": apart / (2 * NUM_ITEMS**2 * np.mean(times)),
        f"novelty@{cutoff}": float(np.mean(novelties)),
        f"popularity@{cutoff}": float(np.mean(popularities)),
        f"diversity_text@{cutoff}": float(np.mean(diversities)),
    }


def test_every_metric_is_that_of_the_double_loop() -> None:
    found = summarize_lists(
        table(LISTS),
        LENGTHS,
        cutoffs=[2, 4],
        history_bins=[3, 6],
        training_counts=COUNTS,
        vectors={"text": lambda items: VECTORS[items]},
    )
    groups = {"1-3": (1, 3), "4-6": (4, 6), "7+": (7, 99)}
    expected = {"all": LISTS} | {
        name: [one for one, length in zip(LISTS, LENGTHS, strict=True) if first <= length <= last]
        for name, (first, last) in groups.items()
    }
    assert found["history_length"].keys() == groups.keys()
    for name, lists in expected.items():
        own = found["all"] if name == "all" else found["history_length"][name]
        assert len(lists) > 3
        assert own == pytest.approx(
            slow(lists, 2) | slow(lists, 4) | {"num_users": len(lists)}, rel=1e-5
        )


def test_lists_of_users_with_several_are_means_over_lists_and_both_are_counted() -> None:
    of_users = table(LISTS).set_column(0, "user_index", pa.array(np.arange(30) // 3, pa.int32()))
    one_each, several = (
        summarize_lists(
            lists,
            LENGTHS,
            cutoffs=[4],
            history_bins=[99],
            training_counts=COUNTS,
            vectors={"text": lambda items: VECTORS[items]},
        )
        for lists in (table(LISTS), of_users)
    )
    assert several["all"] == one_each["all"] | {"num_users": 10, "num_samples": 30}
    assert several["history_length"]["100+"] == {"num_users": 0, "num_samples": 0}


def test_groups_of_nobody_and_of_empty_lists_have_no_means() -> None:
    found = summarize_lists(
        table([[], []]),
        np.array([2, 2]),
        cutoffs=[3],
        history_bins=[5],
        training_counts=COUNTS,
        vectors={"text": lambda items: VECTORS[items]},
    )
    assert found["all"] == {"coverage@3": 0.0, "gini@3": 0.0, "num_users": 2}
    assert found["history_length"]["6+"] == {"num_users": 0}


def test_the_extremes_of_coverage_gini_and_diversity() -> None:
    everything = np.arange(1, NUM_ITEMS + 1).reshape(-1, 1)
    assert (coverage(everything, NUM_ITEMS), gini(everything, NUM_ITEMS)) == (1, pytest.approx(0))
    one_item = np.full((50, 1), 4)
    assert coverage(one_item, NUM_ITEMS) == pytest.approx(1 / NUM_ITEMS)
    assert gini(one_item, NUM_ITEMS) == pytest.approx(1 - 1 / NUM_ITEMS)
    # Items of one category, of two, and one without: as far as pairs know.
    category = np.zeros((NUM_ITEMS + 1, 2), dtype=np.float32)
    category[[1, 2, 3], 0] = category[[4, 5], 1] = 1
    of_lists = {(1, 2, 3): 0.0, (1, 4): 1.0, (1, 2, 4): 2 / 3, (1, 4, 9): 1.0}
    for items, expected in of_lists.items():
        found = summarize_lists(
            table([[*items]]),
            np.array([1]),
            cutoffs=[3],
            history_bins=[],
            training_counts=COUNTS,
            vectors={"category": lambda items: category[items]},
        )
        assert found["all"]["diversity_category@3"] == pytest.approx(expected)
    alone = summarize_lists(
        table([[1, 9]]),
        np.array([1]),
        cutoffs=[2],
        history_bins=[],
        training_counts=COUNTS,
        vectors={"category": lambda items: category[items]},
    )
    assert "diversity_category@2" not in alone["all"]


def test_names() -> None:
    assert is_list_metric("novelty@20")
    assert not any(map(is_list_metric, ("novelty", "recall@10", "diversity@10", "gini@0")))
    assert list_cutoffs(["gini@20", "recall@5", "diversity_text@10", "coverage@20"]) == [10, 20]


def best_by_hand(scores: list[float], history: set[int], target: int, length: int) -> list[int]:
    candidates = [item for item in range(1, len(scores)) if item not in history or item == target]
    return sorted(candidates, key=lambda item: (-scores[item], item))[:length]


@pytest.mark.parametrize("mask_history", [False, True])
@pytest.mark.parametrize("budget", [1, 10**6])
def test_lists_are_of_the_candidates_and_scores_that_ranks_are_of(
    monkeypatch: pytest.MonkeyPatch, mask_history: bool, budget: int
) -> None:
    monkeypatch.setitem(evaluator.SCORE_BUDGET, "cpu", budget)
    sequences, recommender = make_sequences(), MeanRecommender()
    held_out = hold_out_test(sequences)
    ranks, lists = rank_held_out(recommender, held_out, mask_history=mask_history, list_length=6)
    plain, none = rank_held_out(recommender, held_out, mask_history=mask_history)
    assert torch.equal(ranks, plain)
    assert none.shape == (len(plain), 0)
    assert recommender.num_tables == 2, "one encoding for ranks and lists"
    vectors = recommender.table.detach()
    rows = lists_table(lists, held_out).to_pylist()
    for row, rank in zip(rows, ranks.tolist(), strict=True):
        *history, target = sequences.of(row["user_index"])
        scores = (vectors @ vectors[history[-5:]].mean(dim=0)).tolist()
        hidden = {*history} if mask_history else set()
        assert row["items"] == best_by_hand(scores, hidden, target, 6)
        assert (target in row["items"]) == (rank <= 6)


def test_models_without_vectors_have_lists_and_masked_items_leave_them_short() -> None:
    sequences = Sequences.from_lists([[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]])
    weights = nearest_neighbours(sequences, 6, num_neighbours=5, shrink=0)
    recommender = ItemKnn(weights, max_sequence_length=10)
    held_out = hold_out_test(sequences)
    _, lists = rank_held_out(recommender, held_out, mask_history=True, list_length=4)
    assert lists.tolist() == [[4, 5, 0, 0], [3, 5, 0, 0], [4, 5, 0, 0]]
    found = lists_table(lists, held_out)
    assert found["items"].to_pylist() == [[4, 5], [3, 5], [4, 5]]
    assert padded_lists(found, 3).tolist() == [[4, 5, 0], [3, 5, 0], [4, 5, 0]]
    nobody = hold_out_test(Sequences.from_lists([[1, 2]]))
    _, none = rank_held_out(recommender, nobody, mask_history=True, list_length=4)
    assert lists_table(none, nobody).num_rows == 0


def test_examples_in_docstrings() -> None:
    found = doctest.testmod(metrics_of_lists)
    assert found.attempted > 0
    assert found.failed == 0
