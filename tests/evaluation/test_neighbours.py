"""Popularity of neighbours: as a double loop finds it, and no number where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mmrec.evaluation import neighbours
from mmrec.evaluation.neighbours import popularity_correlation, popularity_of_neighbours


def world(num_items: int, dim: int, *, copies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, of which so many at a time are equal, and training counts."""
    rng = np.random.default_rng(num_items)
    distinct = rng.standard_normal((math.ceil(num_items / copies), dim))
    vectors = np.tile(distinct, (copies, 1))[:num_items].astype(np.float32)
    return vectors, rng.geometric(0.1, num_items).astype(np.int32) - 1


def double_loop(vectors: np.ndarray, popularity: np.ndarray) -> list[float]:
    """Item by item; those as far away as the tenth share the places that are left."""
    means = []
    for item, vector in enumerate(vectors.astype(float)):
        others = []
        for other, it in enumerate(vectors.astype(float)):
            if other != item:
                others.append((((vector - it) ** 2).sum(), popularity[other]))
        tenth = sorted(others)[9][0]
        nearer = [value for distance, value in others if distance < tenth]
        as_far = [value for distance, value in others if distance == tenth]
        share = (10 - len(nearer)) / len(as_far)
        means.append((sum(nearer) + share * sum(as_far)) / 10)
    return means


@pytest.mark.parametrize(("num_items", "dim", "copies"), [(12, 1, 1), (57, 5, 1), (90, 3, 18)])
@pytest.mark.parametrize("at_once", [1, 200, 2**22])
def test_neighbours_are_those_of_a_double_loop_in_chunks_of_any_size(
    num_items: int, dim: int, copies: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_DISTANCES_AT_ONCE", at_once)
    vectors, counts = world(num_items, dim, copies=copies)
    popularity = np.log1p(counts.astype(float))
    expected = double_loop(vectors, popularity)
    np.testing.assert_allclose(popularity_of_neighbours(vectors, popularity), expected, atol=1e-11)
    found = popularity_correlation(vectors, counts)
    rounded = np.round(expected, 12)
    assert found == pytest.approx(stats.spearmanr(popularity, rounded).statistic, abs=1e-9)


def test_the_order_of_items_does_not_matter_even_where_many_are_equal() -> None:
    vectors, counts = world(300, 4, copies=30)
    order = np.random.default_rng(0).permutation(300)
    found = popularity_correlation(vectors, counts)
    assert popularity_correlation(vectors[order], counts[order]) == pytest.approx(found, abs=1e-12)


def test_where_all_of_them_lie_does_not_matter() -> None:
    vectors, counts = world(200, 4)
    near = popularity_correlation(vectors, counts)
    far = popularity_correlation((vectors + 512).astype(np.float32), counts)
    assert far == pytest.approx(near, abs=1e-2), "float32 holds fewer digits of the sums"


def test_items_that_lie_by_popularity_have_one_and_others_nothing() -> None:
    counts = np.arange(400, dtype=np.int32)
    line = np.log1p(counts).astype(np.float32)[:, None]
    found = popularity_correlation(line, counts)
    assert found is not None
    assert found > 0.99
    mixed = popularity_correlation(np.random.default_rng(1).permutation(line), counts)
    assert mixed is not None
    assert abs(mixed) < 0.15


@pytest.mark.parametrize("num_items", [1, 2, 11])
def test_of_few_items_all_others_are_neighbours_and_there_is_no_number(num_items: int) -> None:
    assert popularity_correlation(*world(num_items, 3)) is None


def test_constant_popularity_vectors_or_neighbours_give_no_number() -> None:
    vectors, counts = world(60, 3)
    assert popularity_correlation(vectors, np.full(60, 7, np.int32)) is None
    assert popularity_correlation(np.ones_like(vectors), counts) is None
    # Twenty alike in one place, and four elsewhere, to whom they are nearer than the others.
    places = np.zeros((24, 2), np.float32)
    places[20:] = [[0, 9], [9, 0], [0, -9], [-9, 0]]
    popular = np.array([5] * 20 + [1, 2, 3, 4], np.int32)
    assert popularity_of_neighbours(places, popular.astype(float)).tolist() == [5.0] * 24
    assert popularity_correlation(places, popular) is None
