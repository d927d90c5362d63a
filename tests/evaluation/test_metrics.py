import doctest
import json
import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrec import schemas
from mmrec.evaluation import history_groups as groups_by_history
from mmrec.evaluation import metrics
from mmrec.evaluation.history_groups import history_ends, history_groups
from mmrec.evaluation.metrics import (
    compared_metrics,
    metric_names,
    summarize,
    summarize_ranks,
    user_metrics,
)
from tests.evaluation import oracles

RANKS = st.lists(st.integers(1, 60), min_size=1, max_size=40).map(np.array)


def table(ranks, cold=None, counts=None, lengths=None, users=None):
    size = len(ranks)
    columns = {
        "user_index": users or list(range(size)),
        "target": [1] * size,
        "rank": ranks,
        "target_is_cold": cold or [False] * size,
        "target_training_count": counts or [20] * size,
        "history_length": lengths or [3] * size,
    }
    return pa.table(columns, schema=schemas.RANKS)


def test_metrics_by_hand():
    ranks = np.array([1, 3, 11])
    assert user_metrics(ranks, "recall@10").tolist() == [1, 1, 0]
    assert user_metrics(ranks, "ndcg@10").tolist() == pytest.approx([1, 1 / 2, 0])
    assert user_metrics(ranks, "mrr@10").tolist() == pytest.approx([1, 1 / 3, 0])
    assert summarize(ranks, ["mrr"])["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 11) / 3)


@given(RANKS)
def test_metrics_equal_their_definition_summed_one_by_one(ranks):
    for name, value in summarize(ranks, metric_names([1, 5, 20])).items():
        if name != "num_users":
            assert value == pytest.approx(oracles.metric(ranks.tolist(), name))


@given(RANKS)
def test_ndcg_and_recall_of_nested_cutoffs_fit_one_ranking(ranks):
    cutoffs = [1, 5, 10, 20, 50]
    found = summarize(ranks, metric_names(cutoffs))
    for small, large in pairwise(cutoffs):
        recall = found[f"recall@{large}"] - found[f"recall@{small}"]
        ndcg = found[f"ndcg@{large}"] - found[f"ndcg@{small}"]
        assert recall >= 0
        assert recall / math.log2(large + 1) - 1e-12 <= ndcg
        assert ndcg <= recall / math.log2(small + 2) + 1e-12


@pytest.mark.parametrize("name", ["recall", "recall@0", "hr@10", "ndcg@", "recall@5.0", "mrr@"])
def test_unknown_metric_is_named(name):
    with pytest.raises(ValueError, match=f"metric '{name}' is unknown"):
        user_metrics(np.array([1]), name)


def test_groups_hold_the_right_users():
    found = summarize_ranks(
        table(
            ranks=[1, 2, 30, 4],
            cold=[False, True, True, False],
            counts=[20, 3, 0, 15],
            lengths=[1, 5, 6, 99],
        ),
        cutoffs=[5],
        history_bins=[5, 20],
    )
    assert found["all"]["num_users"] == 4
    assert found["all"]["recall@5"] == 3 / 4
    assert found["cold"]["recall@5"] == 1 / 2
    assert found["warm"]["recall@5"] == 1
    assert found["new"] == {
        "num_users": 1, "recall@5": 0, "ndcg@5": 0, "mrr@5": 0, "mrr": pytest.approx(1 / 30)
    }  # fmt: skip
    counts = {name: group["num_users"] for name, group in found["history_length"].items()}
    assert counts == {"1-5": 2, "6-20": 1, "21+": 1}


def test_means_are_over_all_that_is_held_out_of_users_and_both_are_counted():
    several = table(
        ranks=[1, 4, 1, 9],
        cold=[False, True, False, True],
        lengths=[3, 4, 5, 9],
        users=[0, 0, 0, 1],
    )
    found = summarize_ranks(several, cutoffs=[2], history_bins=[4])
    assert (found["all"]["num_samples"], found["all"]["num_users"]) == (4, 2)
    assert found["all"]["recall@2"] == 2 / 4
    assert (found["cold"]["num_samples"], found["cold"]["num_users"]) == (2, 2)
    assert (found["warm"]["num_samples"], found["warm"]["num_users"]) == (2, 1)
    assert found["new"] == {"num_samples": 0, "num_users": 0}
    assert found["history_length"]["1-4"]["num_users"] == 1
    assert compared_metrics(found)["cold"].keys() >= {"num_samples", "num_users", "recall@2"}
    alone = summarize_ranks(table([1, 4]), cutoffs=[2], history_bins=[4])
    assert "num_samples" not in {*alone["all"], *compared_metrics(alone)["all"]}


def test_empty_group_has_no_metrics_and_the_file_has_no_nan():
    found = summarize_ranks(table([1, 2]), cutoffs=[10], history_bins=[2])
    assert found["cold"] == found["new"] == found["history_length"]["1-2"] == {"num_users": 0}
    json.dumps(found, allow_nan=False)


def test_no_users_at_all_give_empty_groups():
    found = summarize_ranks(table([]), cutoffs=[10], history_bins=[])
    assert found["all"] == found["warm"] == found["history_length"]["1+"] == {"num_users": 0}


@pytest.mark.parametrize(
    ("cutoffs", "kept"),
    [
        ([5, 10, 20, 50], ["recall@10", "recall@20", "ndcg@10", "ndcg@20"]),
        ([1, 3], ["recall@3", "ndcg@3"]),
        ([7, 9, 30], ["recall@9", "recall@30", "ndcg@9", "ndcg@30"]),
    ],
)
def test_runs_are_compared_by_fifteen_numbers_at_most(cutoffs, kept):
    whole = summarize_ranks(table([1, 15]), cutoffs=cutoffs, history_bins=[2, 4, 8])
    compared = compared_metrics(whole)
    assert list(compared) == ["all", "warm", "cold"]
    assert sum(map(len, compared.values())) <= 15
    assert compared["all"] == {name: whole["all"][name] for name in ["num_users", *kept]}
    assert compared["cold"] == {"num_users": 0}


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60).map(np.array), st.integers(2, 7))
def test_groups_at_quantiles_hold_everybody_once_and_none_too_many(lengths, groups):
    ends = history_ends(lengths, groups)
    assert ends == sorted({*ends})
    assert len(ends) < groups
    members = history_groups(lengths, ends)
    assert np.sum([*members.values()], axis=0).tolist() == [1] * len(lengths)
    for one in members.values():
        assert one.any()
        # As many as there shall be, but for those who have as long histories as the last of them.
        longest = lengths[one].max()
        assert (one & (lengths < longest)).sum() < np.ceil(len(lengths) / groups)


def test_five_groups_of_different_histories_are_of_equal_size():
    lengths = np.random.default_rng(0).permutation(np.arange(3, 103))
    ends = history_ends(lengths, 5)
    assert ends == [22, 42, 62, 82]
    assert [one.sum() for one in history_groups(lengths, ends).values()] == [20] * 5
    assert history_ends(np.array([], dtype=np.int64), 5) == []
    assert history_ends(np.full(9, 4), 5) == []


def test_examples_in_docstrings():
    for module in (metrics, groups_by_history):
        found = doctest.testmod(module)
        assert found.attempted > 1
        assert found.failed == 0
