"""Cold positions against a double loop over sequences: samples, ranks, counts, metrics."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_test
from mmrec.evaluation.metrics import COLD_POSITION_PARTS, summarize_cold_positions
from mmrec.recommender import History, Recommender, VectorRecommender
from mmrec.training.finished import cold_samples
from tests.evaluation import oracles
from tests.evaluation.ranking import evaluate_ranks

NUM_ITEMS = 25
LONGEST = 5
THRESHOLD = 10
MODES = ["heldout", "literal"]


class MeanOfLatest(VectorRecommender):
    """The query is the mean of the latest items' vectors, of at most `LONGEST` of them."""

    def __init__(self):
        super().__init__(num_items=NUM_ITEMS, max_sequence_length=LONGEST)
        self.table = torch.randn(NUM_ITEMS, 4, generator=torch.Generator().manual_seed(0))
        self.table[0] = 0

    def item_table(self):
        return self.table

    def encode(self, history):
        items = history.items
        return self.table[items].sum(dim=1) / (items != 0).sum(dim=1, keepdim=True)


class WithoutVectors(Recommender):
    """The score of an item is how often the latest ones have it, its number, and who asks."""

    def __init__(self):
        super().__init__(num_items=NUM_ITEMS, max_sequence_length=LONGEST)

    def scores(self, history):
        counts = torch.zeros(len(history.users), NUM_ITEMS)
        counts.scatter_add_(1, history.items, torch.ones(history.items.shape))
        return counts + 0.01 * (history.users[:, None] + torch.arange(NUM_ITEMS))


class World(NamedTuple):
    """Users with sequences, and what training has of every item."""

    lists: list[list[int]]
    counts: list[int]

    @property
    def tensors(self):
        counts = torch.tensor(self.counts)
        return Sequences.from_lists(self.lists), counts < THRESHOLD, counts


def world(lists: list[list[int]]) -> World:
    trained = Counter(
        item for items in lists for item in (items[:-2] if len(items) >= 3 else items)
    )
    return World(lists, [trained[item] for item in range(NUM_ITEMS)])


def many_users() -> World:
    """Sequences of 0 to 14 items with repeats; the higher an item's number, the rarer."""
    generator = np.random.default_rng(5)
    shares = 1 / np.arange(1, NUM_ITEMS)
    lists = [
        generator.choice(np.arange(1, NUM_ITEMS), size, p=shares / shares.sum()).tolist()
        for size in [0, 1, 1, 2, 2, *generator.integers(0, 15, 80)]
    ]
    return world(lists)


def samples(found: World, mode: str) -> list[tuple[int, int, int]]:
    """User, position and target of every sample, by looking at every position."""
    expected = []
    for user, items in enumerate(found.lists):
        for position, item in enumerate(items):
            is_training = len(items) < 3 or position < len(items) - 2
            if position == 0 or found.counts[item] >= THRESHOLD:
                continue
            if mode == "literal" or not is_training:
                expected.append((user, position, item))
    return expected


def ranked(found: World, mode: str, recommender: Recommender, *, mask_history: bool) -> pa.Table:
    sequences, is_cold, counts = found.tensors
    return evaluate_ranks(
        recommender,
        cold_samples(sequences, is_cold, mode),
        mask_history=mask_history,
        is_cold=is_cold,
        training_counts=counts,
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask_history", [False, True])
@pytest.mark.parametrize("kind", [MeanOfLatest, WithoutVectors])
def test_every_cold_position_is_ranked_after_what_came_before_it(kind, mask_history, mode):
    found, recommender = many_users(), kind()
    table = ranked(found, mode, recommender, mask_history=mask_history)
    assert table.schema == schemas.RANKS
    expected = []
    for user, position, target in samples(found, mode):
        history = found.lists[user][:position]
        latest = torch.tensor([history[-LONGEST:]])
        scores = recommender.scores(History(torch.tensor([user]), latest))[0].tolist()
        rank = oracles.rank(scores, target, history if mask_history else ())
        expected.append((user, target, rank, True, found.counts[target], position))
    assert [tuple(row.values()) for row in table.to_pylist()] == expected


def test_the_world_has_every_kind_of_sample():
    found = many_users()
    held_out, literal = (samples(found, mode) for mode in MODES)
    assert len(held_out) > 20
    assert {*held_out} < {*literal}
    per_user = Counter(user for user, _, _ in literal)
    assert max(per_user.values()) > 3
    assert any(len(found.lists[user]) == 2 for user, _, _ in literal), "two items: both train"
    assert {0, 1} <= {min(found.counts[item], 1) for _, _, item in held_out}
    assert any(item in found.lists[user][:place] for user, place, item in held_out), "seen before"
    firsts = [items[0] for items in found.lists if items]
    assert any(found.counts[item] < THRESHOLD for item in firsts), "nothing comes before"


def test_last_positions_are_the_cold_targets_of_the_test():
    found, recommender = many_users(), MeanOfLatest()
    sequences, is_cold, counts = found.tensors
    tested = evaluate_ranks(
        recommender,
        hold_out_test(sequences),
        mask_history=True,
        is_cold=is_cold,
        training_counts=counts,
    ).to_pylist()
    rows = ranked(found, "heldout", recommender, mask_history=True).to_pylist()
    last = [row for row in rows if row["history_length"] == len(found.lists[row["user_index"]]) - 1]
    assert last == [row for row in tested if row["target_is_cold"]]


@pytest.mark.parametrize("mode", MODES)
def test_a_masked_target_that_was_seen_before_competes_with_what_was_not(mode):
    found = world([[3, 1, 2, 4, 3]])
    table = ranked(found, mode, WithoutVectors(), mask_history=True)
    row = table.to_pylist()[-1]
    assert (row["target"], row["history_length"]) == (3, 4)
    assert row["rank"] == 1, "its score is that of a seen item, and no other seen one competes"
    # Item 4 was seen as often, and has the larger number.
    unmasked = ranked(found, mode, WithoutVectors(), mask_history=False)
    assert unmasked.to_pylist()[-1]["rank"] == 2


@pytest.mark.parametrize("mode", MODES)
def test_parts_are_means_over_samples_and_count_them(mode):
    found = many_users()
    table = ranked(found, mode, MeanOfLatest(), mask_history=False)
    parts = summarize_cold_positions(table, cutoffs=[1, 5])
    assert tuple(parts) == COLD_POSITION_PARTS
    rows = table.to_pylist()
    members = {
        "cold_positions": rows,
        "cold_positions_few": [row for row in rows if found.counts[row["target"]] > 0],
        "cold_positions_new": [row for row in rows if found.counts[row["target"]] == 0],
    }
    for part, inside in members.items():
        assert inside, part
        ranks = [row["rank"] for row in inside]
        names = [f"{kind}@{cutoff}" for cutoff in (1, 5) for kind in ("recall", "ndcg", "mrr")]
        assert parts[part] == {
            **{name: pytest.approx(oracles.metric(ranks, name)) for name in [*names, "mrr"]},
            "num_samples": len(inside),
            "num_users": len({row["user_index"] for row in inside}),
        }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lists", [[], [[1], [2], []], [[1, 2, 1, 2, 1, 2]] * 9, [[7, 1]]])
def test_where_nothing_is_cold_or_comes_after_anything_all_counts_are_zero(mode, lists):
    lists = [*lists, *[[1]] * THRESHOLD]  # the items of the other sequences are warm
    table = ranked(world(lists), mode, MeanOfLatest(), mask_history=True)
    assert table.schema == schemas.RANKS
    nothing = {"num_samples": 0, "num_users": 0}
    assert summarize_cold_positions(table, cutoffs=[10]) == dict.fromkeys(
        COLD_POSITION_PARTS, nothing
    )
