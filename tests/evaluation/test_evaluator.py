import threading

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.data.split import full_histories, hold_out_test, hold_out_validation
from mmrec.evaluation import evaluator
from mmrec.evaluation.evaluator import rank_held_out, validation_metrics
from mmrec.evaluation.retrieval_vectors import retrieval_vectors
from mmrec.io import DataError
from mmrec.nn.scoring import score
from mmrec.recommender import History, Recommender, VectorRecommender
from tests.evaluation import oracles
from tests.evaluation.ranking import evaluate_ranks

NUM_ITEMS = 31


class MeanRecommender(VectorRecommender):
    """Query = mean of the history's vectors; dropout shows whether it is in eval mode."""

    def __init__(self, table=None, max_sequence_length=5):
        super().__init__(num_items=NUM_ITEMS, max_sequence_length=max_sequence_length)
        generator = torch.Generator().manual_seed(0)
        table = torch.randn(NUM_ITEMS, 6, generator=generator) if table is None else table
        table[0] = 0
        self.table = torch.nn.Parameter(table)
        self.dropout = torch.nn.Dropout(0.5)
        self.num_tables = 0

    def item_table(self):
        self.num_tables += 1
        return self.table

    def encode(self, history):
        items = history.items
        return self.dropout(self.table[items].sum(dim=1) / (items != 0).sum(dim=1, keepdim=True))


def make_sequences(num_users=40, longest=15):
    generator = np.random.default_rng(3)
    lengths = generator.integers(0, longest, num_users)
    return Sequences.from_lists([generator.integers(1, NUM_ITEMS, n).tolist() for n in lengths])


def evaluate(recommender, held_out, mask_history=False):
    counts = torch.arange(NUM_ITEMS)
    return evaluate_ranks(
        recommender,
        held_out,
        mask_history=mask_history,
        is_cold=counts < 10,
        training_counts=counts,
    )


@pytest.mark.parametrize("wrong", [False, True])
def test_cores_rank_chunks_side_by_side_and_have_their_threads_back(monkeypatch, wrong):
    monkeypatch.setitem(evaluator.SCORE_BUDGET, "cpu", 1)
    held_out = hold_out_test(make_sequences(300))
    recommender = MeanRecommender()
    expected = evaluate(recommender, held_out)
    seen, rank_targets = [], evaluator.rank_targets

    def ranked(scores, targets):
        seen.append((threading.current_thread().name.partition("_")[0], torch.get_num_threads()))
        if wrong and len(seen) == 2:
            raise ValueError("this chunk")
        assert not scores.requires_grad
        return rank_targets(scores, targets)

    monkeypatch.setattr(evaluator, "rank_targets", ranked)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        if wrong:
            with pytest.raises(ValueError, match="this chunk"):
                evaluate(recommender, held_out)
        else:
            assert evaluate(recommender, held_out).equals(expected)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert len(seen) > 2
    assert set(seen) == {("rank", 1)}


@pytest.mark.parametrize("mask_history", [False, True])
@pytest.mark.parametrize("budget", [1, 100, 10**6])
def test_chunked_ranking_equals_one_user_at_a_time(monkeypatch, mask_history, budget):
    monkeypatch.setitem(evaluator.SCORE_BUDGET, "cpu", budget)
    monkeypatch.setattr(evaluator, "CHUNK_STEP", 1)
    monkeypatch.setitem(evaluator.TOKEN_BUDGET, "cpu", budget)
    sequences, recommender = make_sequences(), MeanRecommender()
    table = evaluate(recommender, hold_out_test(sequences), mask_history)
    assert table.schema == schemas.RANKS
    assert recommender.num_tables == 1
    assert recommender.training, "the mode is restored"
    rows = {row["user_index"]: row for row in table.to_pylist()}
    vectors = recommender.table.detach()
    assert len(rows) > 20
    for user in range(sequences.num_users):
        *history, target = sequences.of(user) or [0]
        if len(history) < 2:
            assert user not in rows
            continue
        scores = (vectors @ vectors[history[-5:]].mean(dim=0)).tolist()
        row = rows[user]
        assert row["rank"] == oracles.rank(scores, target, history if mask_history else ())
        assert row["target"] == target
        assert row["history_length"] == len(history)
        assert row["target_training_count"] == target
        assert row["target_is_cold"] == (target < 10)


def test_seen_items_may_compete_with_score_0():
    sequences, recommender = make_sequences(), MeanRecommender()
    held_out = hold_out_test(sequences)
    ranks, lists = rank_held_out(recommender, held_out, mask_history="zero", list_length=5)
    masked = rank_held_out(recommender, held_out, mask_history=True).ranks
    assert (ranks >= masked).all()
    assert (ranks > masked).any(), "a target with a negative score is behind them"
    vectors = recommender.table.detach()
    for user, rank, items in zip(
        held_out.histories.users.tolist(), ranks.tolist(), lists.tolist(), strict=True
    ):
        *history, target = sequences.of(user)
        scores = (vectors @ vectors[history[-5:]].mean(dim=0)).tolist()
        assert rank == oracles.rank_with_seen_at_0(scores, target, history)
        at = [0.0 if item in history and item != target else scores[item] for item in range(31)]
        assert items == sorted(range(1, 31), key=lambda item: (-at[item], item))[:5]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_score_that_is_not_finite_raises(value):
    vectors = torch.ones(NUM_ITEMS, 2)
    vectors[5] = value
    with pytest.raises(ValueError, match="not finite"):
        evaluate(MeanRecommender(vectors), hold_out_test(make_sequences()))


def test_constant_recommender_finds_nothing():
    table = evaluate(MeanRecommender(torch.ones(NUM_ITEMS, 2)), hold_out_test(make_sequences()))
    assert set(table.column("rank").to_pylist()) == {NUM_ITEMS - 1}


def test_users_left_over_see_equal_items_as_equal():
    chunk = 3 * evaluator.CHUNK_STEP
    num_items = evaluator.SCORE_BUDGET["cpu"] // chunk
    vector = torch.randn(1, 50, generator=torch.Generator().manual_seed(1))
    users = [[1, 2, num_items - 1 - user] for user in range(2 * chunk + 8)]
    table = evaluate_ranks(
        MeanRecommender(vector.repeat(num_items, 1)),
        hold_out_test(Sequences.from_lists(users)),
        mask_history=False,
        is_cold=torch.zeros(num_items, dtype=torch.bool),
        training_counts=torch.zeros(num_items),
    )
    assert set(table["rank"].to_pylist()) == {num_items - 1}


def test_validation_metrics_are_those_of_the_validation_ranks():
    held_out, recommender = hold_out_validation(make_sequences()), MeanRecommender()
    found = validation_metrics(recommender, held_out, mask_history=False, cutoffs=[3, 20])
    ranks = evaluate(recommender, held_out).column("rank").to_pylist()
    assert set(found) >= {"recall@3", "ndcg@20", "mrr"}
    for name, value in found.items():
        assert value == pytest.approx(oracles.metric(ranks, name))


def test_nobody_to_validate_on_is_a_data_error():
    held_out = hold_out_validation(Sequences.from_lists([[1, 2], [3]]))
    with pytest.raises(DataError, match="no user to validate on"):
        validation_metrics(MeanRecommender(), held_out, mask_history=False, cutoffs=[1])


def test_nobody_held_out_gives_an_empty_ranks_table():
    assert evaluate(MeanRecommender(), hold_out_test(Sequences.from_lists([[1]]))).num_rows == 0


def vectors_of(recommender, sequences, num_items=NUM_ITEMS - 1):
    items = {
        "item_id": [f"item {number}" for number in range(1, num_items + 1)],
        "item_index": list(range(1, num_items + 1)),
        "title": [f"title {number}" for number in range(1, num_items + 1)],
        "num_sentences": [1] * num_items,
        "num_images": [0] * num_items,
        "training_count": [9] * num_items,
        "is_cold": [True] * num_items,
    }
    users = {
        "user_id": [f"user {number}" for number in range(sequences.num_users)],
        "user_index": list(range(sequences.num_users)),
        "num_interactions": sequences.lengths.tolist(),
    }
    return retrieval_vectors(
        recommender,
        full_histories(sequences),
        items=pa.table(items, schema=schemas.CLEAN_ITEMS),
        users=pa.table(users, schema=schemas.CLEAN_USERS),
    )


def test_retrieval_vectors_score_as_the_model_does():
    recommender = MeanRecommender()
    sequences = Sequences.from_lists([[4, 9, 2], [], list(range(1, 12))])
    items, users = vectors_of(recommender, sequences)
    assert items.schema == schemas.item_vectors(6)
    assert users.schema == schemas.user_vectors(6)
    assert items.column("item_id").to_pylist()[::29] == ["item 1", "item 30"]
    assert items.column("title").to_pylist()[1] == "title 2"
    assert users.column("user_id").to_pylist() == ["user 0", "user 1", "user 2"]
    assert users.column("history").to_pylist() == [[4, 9, 2], [], list(range(1, 12))]
    item_vectors = torch.tensor(items.column("vector").to_pylist())
    user_vectors = torch.tensor(users.column("vector").to_pylist())
    recommender.eval()
    query = recommender.encode(History(torch.tensor([0]), torch.tensor([[7, 8, 9, 10, 11]])))
    expected = score(query, recommender.table)[0, 1:]
    assert torch.allclose(item_vectors @ user_vectors[2], expected, atol=1e-6)
    assert user_vectors[1].tolist() == [0] * 6


def test_vector_that_is_not_finite_is_refused():
    vectors = torch.ones(NUM_ITEMS, 2)
    vectors[5] = float("inf")
    with pytest.raises(ValueError, match=r"1 item vectors are not finite \(first rows: \[4\]\)"):
        vectors_of(MeanRecommender(vectors), Sequences.from_lists([[1]]))


def test_items_of_another_catalogue_are_refused():
    with pytest.raises(DataError, match="7 rows in the table of items, 30 item vectors"):
        vectors_of(MeanRecommender(), Sequences.from_lists([[1]]), num_items=7)


class Counting(Recommender):
    """No vectors: the score of an item is how often the history has it, and who asks."""

    def __init__(self):
        super().__init__(num_items=NUM_ITEMS, max_sequence_length=5)

    def scores(self, history):
        counts = torch.zeros(len(history.users), NUM_ITEMS)
        counts.scatter_add_(1, history.items, torch.ones(history.items.shape))
        return counts + 0.01 * (history.users[:, None] + torch.arange(NUM_ITEMS))


@pytest.mark.parametrize("mask_history", [False, True])
@pytest.mark.parametrize("budget", [1, 100, 10**6])
def test_a_model_without_vectors_is_ranked_by_its_scores(monkeypatch, mask_history, budget):
    monkeypatch.setitem(evaluator.SCORE_BUDGET, "cpu", budget)
    held_out = hold_out_test(make_sequences())
    found = evaluate(Counting(), held_out, mask_history)["rank"].to_pylist()
    rows, expected = held_out.histories, []
    for row, (start, length) in enumerate(zip(rows.starts, rows.lengths, strict=True)):
        seen = rows.items[start : start + length].tolist()
        scores = {
            item: seen[-5:].count(item) + 0.01 * (int(rows.users[row]) + item)
            for item in range(1, NUM_ITEMS)
        }
        target = int(held_out.targets[row])
        rivals = [item for item in scores if not (mask_history and item in seen) or item == target]
        expected.append(sum(scores[item] >= scores[target] for item in rivals))
    assert found == expected
