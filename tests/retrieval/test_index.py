"""The index holds every item once, comes back from disk, and refuses vectors it cannot rank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmrec.io import DataError
from mmrec.retrieval.index import build_index, read_index, write_index
from tests.retrieval.worlds import item_table


def test_index_answers_item_indices_and_never_the_padding() -> None:
    index = build_index(item_table(np.eye(4)))
    _, found = index.search(np.eye(4, dtype=np.float32), 4)
    assert found[:, 0].tolist() == [1, 2, 3, 4]
    assert sorted(found[0].tolist()) == [1, 2, 3, 4]


def test_written_index_answers_the_same_and_has_equal_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    items = item_table(rng.standard_normal((200, 16)))
    queries = rng.standard_normal((30, 16)).astype(np.float32)
    write_index(build_index(items), tmp_path / "a" / "index.faiss")
    write_index(build_index(items), tmp_path / "b" / "index.faiss")
    first, second = (tmp_path / name / "index.faiss" for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    for found, expected in zip(
        read_index(first).search(queries, 7), build_index(items).search(queries, 7), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert [path.name for path in first.parent.iterdir()] == ["index.faiss"]


def test_unreadable_index_is_named(tmp_path: Path) -> None:
    path = tmp_path / "index.faiss"
    with pytest.raises(DataError, match="file not found"):
        read_index(path)
    path.write_bytes(b"not an index")
    with pytest.raises(DataError, match="not a readable FAISS index"):
        read_index(path)


def test_empty_catalogue_is_refused() -> None:
    with pytest.raises(DataError, match="no items"):
        build_index(item_table(np.zeros((0, 3))))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(value: float) -> None:
    vectors = np.eye(3)
    vectors[1, 2] = value
    with pytest.raises(DataError, match=r"1 of 3 vectors are not finite \(first: row 1\)"):
        build_index(item_table(vectors))


def test_gaps_in_item_indices_are_refused() -> None:
    items = item_table(np.eye(3)).take([0, 2])
    with pytest.raises(DataError, match="item_index 3 in row 1, expected 2"):
        build_index(items)
