"""Items by the best of their contents, against a list that is sorted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmrec.evaluation.lists import unit_rows
from mmrec.retrieval.best_contents import best_contents


@pytest.mark.parametrize("top_k", [1, 3, 40, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_sorted_list_of_every_items_best(seed: int, top_k: int) -> None:
    generator = np.random.default_rng(seed)
    owners = np.repeat(np.arange(1, 41) * 2, generator.integers(1, 9, 40))
    # Few values: many contents are equal, of one item and of several.
    units = unit_rows(generator.choice([-1, 1], (len(owners), 4)).astype(np.float32))
    query = unit_rows(generator.choice([-1, 1, 2], (1, 4)).astype(np.float32))[0]
    scores = (units.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    rows = {}
    for row in sorted(range(len(owners)), key=lambda row: (-scores[row], row)):
        rows.setdefault(owners[row], row)
    found = best_contents(units, owners, query, top_k)
    assert found.rows.tolist() == [*rows.values()][:top_k]
    assert found.scores.tolist() == scores[found.rows].tolist()


def test_an_item_of_many_contents_hides_no_other() -> None:
    owners = np.array([1] * 700 + [2, 3])
    units = unit_rows(np.array([[1, 0]] * 700 + [[1, 2], [1, 1]], np.float32))
    found = best_contents(units, owners, np.array([1, 0], np.float32), 3)
    assert found.rows.tolist() == [0, 701, 700]
