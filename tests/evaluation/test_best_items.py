"""The best items after histories, against sorting all of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmrec.data.histories import Histories
from mmrec.evaluation.best_items import at_least_a_chunk, best_items
from mmrec.evaluation.evaluator import CHUNK_STEP, Scorer

NUM_ITEMS = 700  # padding included: more than one round of the tournament


def histories(num_rows: int) -> Histories:
    generator = torch.Generator().manual_seed(num_rows)
    lengths = torch.randint(1, 9, (num_rows,), generator=generator)
    items = torch.randint(1, NUM_ITEMS, (int(lengths.sum()),), generator=generator)
    rows = torch.arange(num_rows)
    return Histories(items.int(), rows, lengths.cumsum(0) - lengths, lengths)


def scorer(scores: Tensor) -> Scorer:
    return Scorer(torch.device("cpu"), scores.shape[1], lambda rows: scores[rows].clone())


@pytest.mark.parametrize("keep_seen", [True, False])
@pytest.mark.parametrize("num_rows", [1, 40])
def test_lists_are_those_of_sorting_everything(num_rows: int, keep_seen: bool) -> None:
    generator = torch.Generator().manual_seed(7)
    scores = torch.randint(0, 50, (num_rows, NUM_ITEMS), generator=generator).float()
    candidates = torch.rand(NUM_ITEMS, generator=generator) < 0.5
    candidates[0] = True
    rows = histories(num_rows)
    found = best_items(scorer(scores), rows, 30, candidates=candidates, keep_seen=keep_seen)
    for row in range(num_rows):
        seen = {*rows.padded(torch.tensor([row]))[0].tolist()}
        left = [
            item
            for item in range(1, NUM_ITEMS)
            if candidates[item] and (keep_seen or item not in seen)
        ]
        expected = sorted(left, key=lambda item: (-float(scores[row, item]), item))[:30]
        assert found.items[row].tolist() == expected
        assert torch.equal(found.scores[row], scores[row, expected])


def test_a_list_ends_where_no_candidate_is_left() -> None:
    candidates = torch.zeros(NUM_ITEMS, dtype=torch.bool)
    candidates[[5, 9]] = True
    scores = torch.zeros(1, NUM_ITEMS)
    found = best_items(scorer(scores), histories(1), 4, candidates=candidates, keep_seen=True)
    assert found.items.tolist() == [[5, 9, 0, 0]]
    assert found.scores.tolist() == [[0, 0, -torch.inf, -torch.inf]]


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_a_score_that_is_not_finite_is_refused(wrong: float) -> None:
    scores = torch.zeros(1, NUM_ITEMS)
    scores[0, 600] = wrong
    everything = torch.ones(NUM_ITEMS, dtype=torch.bool)
    with pytest.raises(ValueError, match="scores that are not finite; train it again"):
        best_items(scorer(scores), histories(1), 4, candidates=everything, keep_seen=True)


def test_few_histories_are_repeated_behind_themselves() -> None:
    few = histories(3)
    full = at_least_a_chunk(few)
    assert full.num_rows == CHUNK_STEP
    own = few.padded(torch.arange(3)).tolist()
    assert full.padded(torch.arange(3)).tolist() == own
    assert at_least_a_chunk(full) is full
