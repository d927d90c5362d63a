"""Recommendations equal an exhaustive search, whatever ties, histories and sizes there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec import schemas
from mmrec.io import DataError
from mmrec.retrieval import recommend as recommend_module
from mmrec.retrieval import search as search_module
from mmrec.retrieval.index import build_index
from mmrec.retrieval.recommend import check_index, recommend, summarize
from tests.retrieval.worlds import clean_items, item_table, recommend_slowly, user_table


def _recommend(items: pa.Table, users: pa.Table, *, top_k: int, keep_seen: bool) -> pa.Table:
    titles = clean_items(items.column("item_id").to_pylist())
    return recommend(
        build_index(items), items, users, titles=titles, top_k=top_k, keep_seen=keep_seen
    )


def _as_rows(table: pa.Table) -> list[tuple[str, int, str, float]]:
    return [(r["user_id"], r["rank"], r["item_id"], r["score"]) for r in table.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    num_items=st.integers(1, 60),
    num_users=st.integers(0, 30),
    dim=st.integers(1, 5),
    top_k=st.integers(1, 70),
    keep_seen=st.booleans(),
    tied=st.booleans(),
)
def test_recommendations_equal_exhaustive_scoring(
    seed: int, num_items: int, num_users: int, dim: int, top_k: int, keep_seen: bool, tied: bool
) -> None:
    rng = np.random.default_rng(seed)

    def draw(rows: int) -> np.ndarray:
        return rng.integers(-1, 2, (rows, dim)) if tied else rng.standard_normal((rows, dim))

    items = item_table(draw(num_items))
    histories = [
        rng.integers(1, num_items + 1, rng.integers(0, 2 * num_items)).tolist()
        for _ in range(num_users)
    ]
    users = user_table(draw(num_users), histories)
    found = _recommend(items, users, top_k=top_k, keep_seen=keep_seen)
    assert found.schema == schemas.RECOMMENDATIONS
    expected = recommend_slowly(items, users, top_k=top_k, keep_seen=keep_seen)
    assert [row[:3] for row in _as_rows(found)] == [row[:3] for row in expected]
    assert [row[3] for row in _as_rows(found)] == pytest.approx(
        [row[3] for row in expected], abs=1e-6
    )


@pytest.mark.parametrize("num_items", [150, 700])
def test_equal_items_come_in_order_of_their_index(num_items: int) -> None:
    items = item_table(np.tile([[0.1, 0.7, 0.3]], (num_items, 1)))
    users = user_table(np.array([[0.3, 0.2, 0.9]]), [[3, 1]])
    found = _recommend(items, users, top_k=120, keep_seen=False)
    expected = [i for i in range(1, num_items + 1) if i not in (1, 3)][:120]
    assert found.column("item_id").to_pylist() == [f"i{i - 1:05d}" for i in expected]


def test_lists_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    items = item_table(rng.standard_normal((300, 48)))
    histories = [rng.integers(1, 301, rng.integers(0, 40)).tolist() for _ in range(100)]
    users = user_table(rng.standard_normal((100, 48)), histories)
    whole = _recommend(items, users, top_k=10, keep_seen=False)
    monkeypatch.setattr(recommend_module, "_USERS_PER_CHUNK", 7)
    monkeypatch.setattr(search_module, "_MAX_CELLS", 4000)
    assert _recommend(items, users, top_k=10, keep_seen=False).equals(whole)


def test_user_who_saw_everything_gets_no_rows_and_is_counted() -> None:
    items = item_table(np.eye(3))
    users = user_table(np.eye(3), [[1, 2, 3], [2], []])
    found = _recommend(items, users, top_k=3, keep_seen=False)
    assert found.column("user_id").to_pylist() == ["u00001"] * 2 + ["u00002"] * 3
    summary = summarize(found, items=items, users=users, top_k=3)
    assert summary["num_users"] == 3
    assert summary["num_users_with_fewer"] == 2
    assert summary["num_users_with_none"] == 1
    assert summary["num_items_recommended"] == 3
    assert summary["catalogue_coverage"] == 1.0


def test_seen_items_stay_where_they_are_wanted() -> None:
    items = item_table(np.eye(3))
    users = user_table(np.eye(3), [[1, 2, 3], [2], []])
    found = _recommend(items, users, top_k=1, keep_seen=True)
    assert found.column("item_id").to_pylist() == ["i00000", "i00001", "i00002"]


def test_external_ids_and_titles_survive_whatever_they_are() -> None:
    ids = ["a.b c", "ñandú/日本", "‮rtl", '"quoted", with comma']
    items = item_table(np.eye(4), ids)
    users = user_table(np.eye(4)[:1], [[]], ["用户 1.0"])
    shuffled = clean_items(ids[::-1], ["<four>", "", "two", "one"])
    found = recommend(
        build_index(items), items, users, titles=shuffled, top_k=4, keep_seen=False
    ).to_pylist()
    assert [row["item_id"] for row in found] == ids
    assert [row["title"] for row in found] == ["one", "two", "", "<four>"]
    assert {row["user_id"] for row in found} == {"用户 1.0"}


def test_no_users_give_an_empty_table() -> None:
    found = _recommend(
        item_table(np.eye(2)), user_table(np.zeros((0, 2)), []), top_k=3, keep_seen=False
    )
    assert found.num_rows == 0
    assert found.schema == schemas.RECOMMENDATIONS


def test_items_without_a_title_row_are_refused() -> None:
    items = item_table(np.eye(2))
    users = user_table(np.eye(2), [[], []])
    with pytest.raises(DataError, match=r"1 items have no row .*'i00001'"):
        recommend(
            build_index(items),
            items,
            users,
            titles=clean_items(["i00000"]),
            top_k=1,
            keep_seen=True,
        )


def test_top_k_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="top_k: found 0"):
        _recommend(item_table(np.eye(2)), user_table(np.eye(2), [[], []]), top_k=0, keep_seen=True)


def test_check_accepts_the_index_of_these_items() -> None:
    rng = np.random.default_rng(0)
    items = item_table(rng.standard_normal((500, 64)))
    users = user_table(rng.standard_normal((40, 64)), [[]] * 40)
    assert check_index(build_index(items), items, users, sample=25) == 25
    assert check_index(build_index(items), items, users, sample=1000) == 40


def test_check_accepts_ties_and_large_scores() -> None:
    items = item_table(np.repeat([[5000.0], [4999.0], [3.0]], 50, axis=0))
    users = user_table(np.ones((30, 1)), [[]] * 30)
    assert check_index(build_index(items), items, users, sample=30) == 30


def test_check_refuses_an_index_of_other_vectors() -> None:
    rng = np.random.default_rng(0)
    items = item_table(rng.standard_normal((50, 8)))
    users = user_table(rng.standard_normal((9, 8)), [[]] * 9)
    other = build_index(item_table(rng.standard_normal((50, 8))))
    with pytest.raises(DataError, match="exhaustive scoring"):
        check_index(other, items, users, sample=5)
    fewer = build_index(item_table(rng.standard_normal((49, 8))))
    with pytest.raises(DataError, match="49 items of dimension 8"):
        check_index(fewer, items, users, sample=5)


def test_users_of_another_dimension_are_refused() -> None:
    with pytest.raises(DataError, match="users of dimension 3"):
        _recommend(item_table(np.eye(2)), user_table(np.eye(3), [[]] * 3), top_k=1, keep_seen=True)
