import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.evaluation.significance import paired_bootstrap, paired_t_test
from mmrec.io import DataError


def table(ranks, users=None, targets=None):
    size = len(ranks)
    columns = {
        "user_index": list(range(size)) if users is None else users,
        "target": [1] * size if targets is None else targets,
        "rank": ranks,
        "target_is_cold": [False] * size,
        "target_training_count": [20] * size,
        "history_length": [3] * size,
    }
    return pa.table(columns, schema=schemas.RANKS)


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
    ],
)
def test_other_users_or_targets_are_refused(other, column):
    for compare in (paired_t_test, lambda *tables: paired_bootstrap(*tables, seed=0)):
        with pytest.raises(DataError, match=f"differ in '{column}'"):
            compare(table([1, 2]), other, "mrr")


def test_one_user_is_not_enough():
    with pytest.raises(DataError, match="1 user to compare"):
        paired_t_test(table([1]), table([2]), "mrr")
