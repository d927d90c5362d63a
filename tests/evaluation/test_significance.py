import doctest

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mmrec import schemas
from mmrec.evaluation import significance
from mmrec.evaluation.comparison import (
    compare_rows,
    require_same_samples,
    row_values,
    sorted_samples,
)
from mmrec.evaluation.metrics import user_metrics
from mmrec.evaluation.significance import holm_adjusted
from mmrec.io import DataError


def table(ranks, users=None, targets=None, lengths=None):
    size = len(ranks)
    columns = {
        "user_index": list(range(size)) if users is None else users,
        "target": [1] * size if targets is None else targets,
        "rank": ranks,
        "target_is_cold": [False] * size,
        "target_training_count": [20] * size,
        "history_length": [3] * size if lengths is None else lengths,
    }
    return pa.table(columns, schema=schemas.RANKS)


def paired(first, second, metric):
    """What tests and intervals are of: values of two tables, as rows of one seed."""
    first, second = sorted_samples(first), sorted_samples(second)
    require_same_samples(first, second)
    rows = [row_values([one], "all", metric) for one in (first, second)]
    return rows[0].seed_means, rows[1].seed_means, rows[0].users


def paired_t_test(first, second, metric):
    return significance.paired_t_test(*paired(first, second, metric))


def paired_bootstrap(first, second, metric, *, seed):
    return significance.paired_bootstrap(*paired(first, second, metric), seed=seed)


def random_ranks(seed, worst=100, size=400):
    return np.random.default_rng(seed).integers(1, worst, size).tolist()


def test_t_test_by_its_formula():
    first, second = [1, 20, 3, 50, 2], [1, 2, 30, 4, 1]
    found = paired_t_test(table(first), table(second), "mrr")
    differences = 1 / np.array(second) - 1 / np.array(first)
    expected = differences.mean() / (differences.std(ddof=1) / np.sqrt(5))
    assert found.statistic == pytest.approx(expected)
    assert found.difference == pytest.approx(differences.mean())
    assert (found.second - found.first, found.num_users) == (pytest.approx(found.difference), 5)


def test_clear_difference_is_significant_and_noise_is_not():
    better, same = random_ranks(0, worst=30), random_ranks(1)
    base = random_ranks(2)
    assert paired_t_test(table(base), table(better), "recall@10").p_value < 1e-6
    assert paired_t_test(table(base), table(same), "recall@10").p_value > 0.05
    clear = paired_bootstrap(table(base), table(better), "recall@10", seed=0)
    noise = paired_bootstrap(table(base), table(same), "recall@10", seed=0)
    assert 0 < clear.low < clear.difference < clear.high
    assert noise.low < 0 < noise.high


def test_equal_models_and_constant_differences_give_no_nan():
    equal = paired_t_test(table([1, 2]), table([1, 2]), "mrr")
    assert (equal.statistic, equal.p_value, equal.difference) == (0, 1, 0)
    constant = paired_t_test(table([20, 30]), table([1, 2]), "recall@10")
    assert (constant.statistic, constant.p_value, constant.difference) == (np.inf, 0, 1)
    interval = paired_bootstrap(table([20, 30]), table([1, 2]), "recall@10", seed=0)
    assert (interval.low, interval.high) == (1, 1)


def test_bootstrap_agrees_with_drawing_users_one_by_one():
    first, second = random_ranks(3, size=60), random_ranks(4, size=60)
    found = paired_bootstrap(table(first), table(second), "mrr", seed=0)
    differences = 1 / np.array(second) - 1 / np.array(first)
    generator = np.random.default_rng(1)
    means = [generator.choice(differences, len(differences)).mean() for _ in range(10_000)]
    low, high = np.percentile(means, [2.5, 97.5])
    width = high - low
    assert found.low == pytest.approx(low, abs=0.05 * width)
    assert found.high == pytest.approx(high, abs=0.05 * width)


def test_bootstrap_depends_on_its_seed_alone(monkeypatch):
    first, second = table(random_ranks(3)), table(random_ranks(4))
    once = paired_bootstrap(first, second, "ndcg@20", seed=5)
    assert paired_bootstrap(first, second, "ndcg@20", seed=5) == once
    assert paired_bootstrap(first, second, "ndcg@20", seed=6) != once


def test_row_order_does_not_matter():
    first = table([1, 20, 3], users=[0, 1, 2], targets=[5, 6, 7])
    second = table([4, 9, 2], users=[2, 0, 1], targets=[7, 5, 6])
    found = paired_t_test(first, second, "mrr")
    assert found.difference == pytest.approx(np.mean([1 / 9 - 1, 1 / 2 - 1 / 20, 1 / 4 - 1 / 3]))


@pytest.mark.parametrize(
    ("other", "column"),
    [
        (table([1, 2, 3]), "user_index"),
        (table([1, 2], users=[0, 2]), "user_index"),
        (table([1, 2], targets=[1, 2]), "target"),
        (table([1, 2], lengths=[3, 4]), "history_length"),
    ],
)
def test_other_users_or_targets_are_refused(other, column):
    for compare in (paired_t_test, lambda *tables: paired_bootstrap(*tables, seed=0)):
        with pytest.raises(DataError, match=f"differ in '{column}'"):
            compare(table([1, 2]), other, "mrr")


def compared(*tables):
    rows = {str(place): row_values([one], "all", "mrr") for place, one in enumerate(tables)}
    return compare_rows(rows, [("0", "1")])


def test_one_user_is_not_enough():
    with pytest.raises(DataError, match="1 user to compare"):
        compared(table([1]), table([2]))


def test_with_one_sample_of_each_user_the_test_is_the_plain_paired_one():
    first, second = random_ranks(5), random_ranks(6, worst=80)
    found = paired_t_test(table(first), table(second), "ndcg@20")
    values = [user_metrics(np.array(ranks), "ndcg@20") for ranks in (second, first)]
    expected = stats.ttest_rel(*values)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-12)


USERS = np.repeat(np.arange(60), np.random.default_rng(8).integers(1, 7, 60))
POSITIONS = np.arange(len(USERS)) + 1


def of_several_samples(seed):
    return table(random_ranks(seed, size=len(USERS)), USERS, POSITIONS, lengths=POSITIONS)


def test_several_samples_of_a_user_are_one_draw_in_the_t_test():
    first, second = of_several_samples(0), of_several_samples(1)
    found = paired_t_test(first, second, "mrr")
    differences = 1 / second["rank"].to_numpy() - 1 / first["rank"].to_numpy()
    mean = differences.mean()
    of_users = [sum(differences[user == USERS] - mean) for user in range(60)]
    variance = 60 / 59 * sum(one**2 for one in of_users) / len(USERS) ** 2
    assert found.difference == pytest.approx(mean)
    assert found.statistic == pytest.approx(mean / np.sqrt(variance))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(mean) / np.sqrt(variance), df=59))
    assert found.num_users == 60


@pytest.mark.parametrize("times", [2, 5])
def test_repeating_every_sample_of_all_users_adds_no_evidence(times):
    once = [table(random_ranks(seed, worst=40, size=50)) for seed in (2, 3)]
    users, lengths = np.repeat(np.arange(50), times), np.tile(np.arange(times), 50)
    repeated = [
        table(np.repeat(one["rank"].to_numpy(), times), users, [1] * len(users), lengths)
        for one in once
    ]
    plain, found = (paired_t_test(*tables, "mrr") for tables in (once, repeated))
    assert found.p_value == pytest.approx(plain.p_value)
    of_plain, of_found = (paired_bootstrap(*tables, "mrr", seed=1) for tables in (once, repeated))
    assert (of_found.low, of_found.high) == pytest.approx((of_plain.low, of_plain.high))


def test_bootstrap_draws_users_with_all_of_their_samples():
    first, second = of_several_samples(3), of_several_samples(4)
    found = paired_bootstrap(first, second, "mrr", seed=0)
    differences = 1 / second["rank"].to_numpy() - 1 / first["rank"].to_numpy()
    of_users = [differences[user == USERS] for user in range(60)]
    generator = np.random.default_rng(1)
    means = [
        np.concatenate([of_users[user] for user in generator.integers(0, 60, 60)]).mean()
        for _ in range(5_000)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    assert found.difference == pytest.approx(differences.mean())
    assert found.low == pytest.approx(low, abs=0.06 * (high - low))
    assert found.high == pytest.approx(high, abs=0.06 * (high - low))


def test_several_samples_of_one_user_are_not_enough():
    one = table([1, 2, 3], users=[4, 4, 4], lengths=[2, 3, 4])
    with pytest.raises(DataError, match="1 user to compare"):
        compared(one, one)


def test_values_of_a_row_are_means_over_its_seeds():
    seeds = [table([1, 4, 2, 9]), table([2, 4, 1, 3]), table([8, 1, 1, 1])]
    row = row_values(seeds, "all", "mrr")
    expected = [np.mean([1 / one["rank"][user].as_py() for one in seeds]) for user in range(4)]
    assert row.seed_means == pytest.approx(expected)
    assert row.of_seeds == pytest.approx([np.mean(1 / one["rank"].to_numpy()) for one in seeds])
    other = row_values([table([9, 9, 1, 2])], "all", "mrr")
    (found,) = compare_rows({"one": row, "other": other}, [("other", "one")])
    expected = stats.ttest_rel(row.seed_means, other.seed_means)
    assert (found.test.statistic, found.test.p_value) == pytest.approx(expected)


def test_effect_size_is_cohens_d_of_the_paired_differences():
    first, second = random_ranks(1), random_ranks(2, worst=50)
    found = paired_t_test(table(first), table(second), "mrr")
    differences = 1 / np.array(second) - 1 / np.array(first)
    assert found.effect_size == pytest.approx(differences.mean() / differences.std(ddof=1))
    twice = paired_t_test(table(first * 2), table(second * 2), "mrr")
    assert twice.effect_size == pytest.approx(found.effect_size, rel=2e-3)  # p falls, d stays
    assert twice.p_value < found.p_value
    assert paired_t_test(table([1, 2]), table([1, 2]), "mrr").effect_size == 0
    assert paired_t_test(table([20, 30]), table([1, 2]), "recall@10").effect_size is None


def test_holm_by_its_definition():
    """Rejected at a level are the smallest p-values up to the first p(k) > level / (m + 1 - k)."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        p_values = (generator.random(6) ** 3).tolist()
        p_values[1] = p_values[4]
        adjusted = holm_adjusted(p_values)
        for level in (0.01, 0.05, 0.2, 0.7):
            rejected = set()
            for place, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
                if p_values[index] > level / (len(p_values) - place):
                    break
                rejected.add(index)
            assert {index for index, p in enumerate(adjusted) if p <= level} == rejected
    assert holm_adjusted([]) == []
    assert holm_adjusted([0.03]) == [0.03]


def test_examples_in_docstrings():
    found = doctest.testmod(significance)
    assert found.attempted > 0
    assert found.failed == 0
