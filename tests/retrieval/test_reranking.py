"""Lists that repeat themselves less, against the same by loops."""

from __future__ import annotations

import numpy as np
import pytest

from mmrec.evaluation.lists import unit_rows
from mmrec.retrieval.reranking import POOL, Lists, Reranking, reranked

NUM_ITEMS = 400


class World:
    """Scores of users, some of which tie, vectors of items and their groups."""

    def __init__(self, seed: int, num_items: int = NUM_ITEMS) -> None:
        generator = np.random.default_rng(seed)
        self.scores = generator.integers(0, 60, (3, num_items)).astype(np.float64)
        self.scores[0, 7:] = -np.inf
        vectors = generator.normal(size=(num_items + 1, 5)).astype(np.float32)
        vectors[[0, 3]] = 0
        self.units = unit_rows(vectors)
        self.groups = np.concatenate([[-1], generator.integers(-1, 4, num_items)])
        self.asked: list[int] = []

    def best(self, length: int) -> Lists:
        self.asked.append(length)
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, :length]
        scores = np.take_along_axis(self.scores, order, 1)
        return Lists(np.where(np.isfinite(scores), order + 1, 0), scores)


def by_loops(world: World, row: int, how: Reranking) -> list[int]:
    """The list of one user, place by place."""
    items, scores = (part[row].tolist() for part in world.best(world.scores.shape[1]))
    left = [(item, score) for item, score in zip(items, scores, strict=True) if item]
    pool = left[: how.pool]
    low, high = pool[-1][1], pool[0][1]
    found: list[int] = []

    def worth(item: int, score: float) -> float:
        relevance = (score - low) / (high - low) if high > low else 0.0
        like = max((float(world.units[item] @ world.units[one]) for one in found), default=0.0)
        return (1 - how.diversity) * relevance - how.diversity * like

    def has_room(item: int) -> bool:
        group = -1 if how.groups is None else int(world.groups[item])
        in_group = [one for one in found if world.groups[one] == group]
        return group < 0 or len(in_group) < how.max_per_group

    while len(found) < how.length:
        open_now = [(i, s) for i, s in pool if i not in found and has_room(i)]
        behind = [i for i, _ in left[how.pool :] if i not in found and has_room(i)]
        if open_now:
            found.append(max(open_now, key=lambda one: worth(*one))[0])
        elif behind:
            found.append(behind[0])
        else:
            break
    return found


@pytest.mark.parametrize("diversity", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("limit", [None, 1, 3])
def test_lists_are_those_of_the_loops(diversity: float, limit: int | None) -> None:
    world = World(seed=5)
    how = Reranking(
        length=8,
        diversity=diversity,
        vectors=world.units if diversity else None,
        groups=None if limit is None else world.groups,
        max_per_group=limit or 1,
    )
    found = reranked(world.best, how, NUM_ITEMS)
    for row in range(3):
        expected = by_loops(world, row, how)
        assert found.items[row].tolist() == expected + [0] * (8 - len(expected))
        places = [one - 1 for one in expected]
        assert found.scores[row, : len(expected)].tolist() == world.scores[row, places].tolist()
    assert (found.items[0] > 0).sum() <= 7


def test_without_anything_asked_for_a_list_is_as_it_was() -> None:
    world = World(seed=6)
    found = reranked(world.best, Reranking(length=8), NUM_ITEMS)
    assert np.array_equal(found.items, world.best(8).items)
    assert np.array_equal(found.scores, world.best(8).scores)


def test_more_candidates_are_asked_for_only_where_a_limit_leaves_lists_short() -> None:
    world = World(seed=7)
    world.groups[1:] = 0
    order = np.argsort(-world.scores[1], kind="stable")
    world.groups[order[250] + 1] = 1
    how = Reranking(length=2, groups=world.groups)
    found = reranked(world.best, how, NUM_ITEMS)
    assert world.asked == [POOL, 4 * POOL]
    assert found.items[1].tolist() == [order[0] + 1, order[250] + 1]


def test_more_diversity_gives_lists_less_alike() -> None:
    world = World(seed=8)

    def likeness(diversity: float) -> float:
        how = Reranking(length=10, diversity=diversity, vectors=world.units)
        own = world.units[reranked(world.best, how, NUM_ITEMS).items[1]]
        return float((own @ own.T).sum())

    assert likeness(0.9) < likeness(0.4) < likeness(0.0)
