import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmrec.evaluation.ranks import mask_items_, rank_targets
from tests.evaluation import oracles

INF = float("inf")


@st.composite
def problems(draw):
    """Scores with many ties, some items at -inf, never the target."""
    num_users, num_items = draw(st.integers(1, 5)), draw(st.integers(2, 9))
    score = st.sampled_from([-INF, -1.5, 0.0, 0.25, 3.0])
    scores = [[-INF, *(draw(score) for _ in range(num_items))] for _ in range(num_users)]
    targets = [draw(st.integers(1, num_items)) for _ in range(num_users)]
    for row, target in zip(scores, targets, strict=True):
        row[target] = draw(st.sampled_from([-1.5, 0.0, 3.0]))
    history = st.lists(st.integers(0, num_items), min_size=4, max_size=4)
    return scores, targets, [draw(history) for _ in range(num_users)]


@given(problems())
def test_ranks_equal_comparing_one_by_one(problem):
    scores, targets, _ = problem
    expected = [oracles.rank(row, target) for row, target in zip(scores, targets, strict=True)]
    assert rank_targets(torch.tensor(scores), torch.tensor(targets)).tolist() == expected


@given(problems())
def test_masked_history_does_not_compete_but_the_target_does(problem):
    scores, targets, history = problem
    masked = torch.tensor(scores)
    mask_items_(masked, torch.tensor(history), torch.tensor(targets))
    expected = [
        oracles.rank(row, target, seen)
        for row, target, seen in zip(scores, targets, history, strict=True)
    ]
    assert rank_targets(masked, torch.tensor(targets)).tolist() == expected


@given(problems(), st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_the_order_of_items(problem, random):
    scores, targets, _ = problem
    order = list(range(1, len(scores[0])))
    random.shuffle(order)
    permuted = [[row[0], *(row[item] for item in order)] for row in scores]
    moved = [1 + order.index(target) for target in targets]
    assert torch.equal(
        rank_targets(torch.tensor(permuted), torch.tensor(moved)),
        rank_targets(torch.tensor(scores), torch.tensor(targets)),
    )


def test_constant_scores_are_the_worst_rank():
    scores = torch.zeros(3, 11)
    assert rank_targets(scores, torch.tensor([1, 5, 10])).tolist() == [10, 10, 10]


def test_padding_never_counts_however_it_scores():
    scores = torch.tensor([[9.0, 1.0, 2.0]])
    assert rank_targets(scores, torch.tensor([2])).tolist() == [1]


@pytest.mark.parametrize("wrong", [float("nan"), INF])
@pytest.mark.parametrize("column", [1, 2])
def test_nan_and_infinity_raise_with_the_row(wrong, column):
    scores = torch.zeros(4, 3)
    scores[2, column] = wrong
    with pytest.raises(ValueError, match=r"NaN or \+inf in 1 of 4 user rows \(first rows: \[2\]"):
        rank_targets(scores, torch.ones(4, dtype=torch.int64))


def test_nan_beside_infinity_is_still_found():
    scores = torch.tensor([[-INF, -INF, float("nan")]])
    with pytest.raises(ValueError, match="NaN"):
        rank_targets(scores, torch.tensor([1]))


def test_masked_target_raises():
    scores = torch.tensor([[-INF, 1.0, -INF]])
    with pytest.raises(ValueError, match="target with score -inf"):
        rank_targets(scores, torch.tensor([2]))


@pytest.mark.parametrize("target", [0, 3, -1])
def test_target_that_is_no_item_raises(target):
    with pytest.raises(ValueError, match="no item"):
        rank_targets(torch.zeros(1, 3), torch.tensor([target]))


def test_no_users_give_no_ranks():
    assert rank_targets(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)).tolist() == []


def test_large_random_scores_agree_with_sorting():
    generator = np.random.default_rng(0)
    scores = torch.from_numpy(generator.normal(size=(50, 1001)).astype(np.float32))
    targets = torch.from_numpy(generator.integers(1, 1001, 50))
    order = scores[:, 1:].argsort(dim=1, descending=True) + 1
    expected = (order == targets[:, None]).int().argmax(dim=1) + 1
    assert torch.equal(rank_targets(scores, targets), expected)


@pytest.mark.parametrize("most", [1, 4, 9, 10, 50])
def test_more_items_than_one_sum_counts_exactly_are_counted_in_parts(most, monkeypatch):
    scores = torch.randn(6, 10, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([1, 9, 4, 4, 2, 7])
    whole = rank_targets(scores, targets)
    monkeypatch.setattr("mmrec.evaluation.ranks._EXACT_SUM", most)
    assert torch.equal(rank_targets(scores, targets), whole)
