"""Top-K lists for every user: ITEM_VECTORS and USER_VECTORS in, RECOMMENDATIONS out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mmrec import schemas
from mmrec.evaluation.vectors import Vectors, vectors_of
from mmrec.io import DataError
from mmrec.retrieval.index import Index
from mmrec.retrieval.search import Histories, Matches, search

_USERS_PER_CHUNK = 8192
_USERS_PER_CHECK = 64
_AGREEMENT = 1e-5
"""Largest difference of two scores of the same pair, relative to the vectors' lengths."""


def recommend(
    index: Index,
    items: pa.Table,
    users: pa.Table,
    *,
    titles: pa.Table,
    top_k: int,
    keep_seen: bool,
) -> pa.Table:
    """Best `top_k` items of every user, best first, ties to the smaller item index.

    A user with fewer than `top_k` items left gets fewer rows.

    Args:
        index: `build_index(items)`, or the same read from disk.
        items: ITEM_VECTORS.
        users: USER_VECTORS; lists come in their order.
        titles: Table with `item_id` and `title`, in any order: ITEM_VECTORS or CLEAN_ITEMS.
        top_k: Length of a list.
        keep_seen: Whether items of a user's own history may be recommended.
    """
    if top_k < 1:
        raise ValueError(f"top_k: found {top_k}, expected at least 1")
    vectors = vectors_of(items, "item vectors")
    _check_same_space(index, vectors, users)
    item_ids = items.column("item_id").combine_chunks()
    item_titles = _titles_of(item_ids, titles)
    chunks = [schemas.RECOMMENDATIONS.empty_table()]
    for start in range(0, users.num_rows, _USERS_PER_CHUNK):
        chunk = users.slice(start, _USERS_PER_CHUNK)
        queries = vectors_of(chunk, "user vectors")
        hidden = _hidden(chunk, keep_seen=keep_seen)
        matches = search(index, vectors, queries, hidden, top_k)
        user_ids = chunk.column("user_id").combine_chunks()
        chunks.append(_lists(matches, user_ids, item_ids, item_titles))
    return pa.concat_tables(chunks)


def summarize(
    recommendations: pa.Table, *, items: pa.Table, users: pa.Table, top_k: int
) -> dict[str, float]:
    """Counts of a RECOMMENDATIONS table: how many lists are short, how much is ever shown."""
    num_rows = recommendations.num_rows
    lengths = np.zeros(users.num_rows, np.int64)
    counts = pc.value_counts(recommendations.column("user_id"))
    lengths[: len(counts)] = counts.field("counts").to_numpy()
    shown = pc.count_distinct(recommendations.column("item_id")).as_py()
    return {
        "num_users": users.num_rows,
        "num_items": items.num_rows,
        "top_k": top_k,
        "num_recommendations": num_rows,
        "num_users_with_fewer": int((lengths < top_k).sum()),
        "num_users_with_none": int((lengths == 0).sum()),
        "num_items_recommended": shown,
        "catalogue_coverage": shown / items.num_rows if items.num_rows else 0.0,
    }


def check_index(index: Index, items: pa.Table, users: pa.Table, *, sample: int) -> int:
    """Compare the index with exhaustive scoring for evenly spread users; returns how many.

    Scores must agree to 1e-5 of the vectors' lengths, and so the items up to ties.

    Raises:
        DataError: the index would answer differently.
    """
    vectors = vectors_of(items, "item vectors")
    _check_same_space(index, vectors, users)
    num_checked = min(sample, users.num_rows)
    rows = np.unique(np.linspace(0, users.num_rows - 1, num_checked).astype(np.int64))
    for start in range(0, rows.size, _USERS_PER_CHECK):
        _check_users(index, vectors, users.take(pa.array(rows[start : start + _USERS_PER_CHECK])))
    return int(rows.size)


def _check_users(index: Index, vectors: Vectors, users: pa.Table) -> None:
    queries = vectors_of(users, "user vectors")
    depth = min(vectors.shape[0], 100)
    found, item_indices = index.search(queries, depth)
    exhaustive = queries @ vectors.T
    expected = -np.sort(np.partition(-exhaustive, depth - 1, axis=1)[:, :depth], axis=1)
    known = (item_indices >= 1) & (item_indices <= vectors.shape[0])
    claimed = np.take_along_axis(exhaustive, np.where(known, item_indices - 1, 0), 1)
    longest = np.linalg.norm(vectors, axis=1).max()
    bound = _AGREEMENT * np.maximum(1, longest * np.linalg.norm(queries, axis=1))[:, None]
    wrong = ~known | (np.abs(found - expected) > bound) | (np.abs(found - claimed) > bound)
    if wrong.any():
        user, rank = (int(axis[0]) for axis in np.nonzero(wrong))
        raise DataError(
            f"index: users get other items than by exhaustive scoring (first: user_index "
            f"{users.column('user_index')[user]}, rank {rank + 1}: score {found[user, rank]}, "
            f"expected {expected[user, rank]}); the index is not of these vectors, build it again"
        )


def _lists(
    matches: Matches, user_ids: pa.Array, item_ids: pa.Array, item_titles: pa.Array
) -> pa.Table:
    rows, columns = np.nonzero(matches.items)
    positions = pa.array(matches.items[rows, columns] - 1)
    return pa.table(
        {
            "user_id": user_ids.take(pa.array(rows)),
            "rank": (columns + 1).astype(np.int32),
            "item_id": item_ids.take(positions),
            "title": item_titles.take(positions),
            "score": matches.scores[rows, columns],
        },
        schema=schemas.RECOMMENDATIONS,
    )


def _check_same_space(index: Index, vectors: Vectors, users: pa.Table) -> None:
    dim = users.column("vector").type.list_size
    if (index.ntotal, index.d, dim) != (*vectors.shape, vectors.shape[1]):
        raise DataError(
            f"index: {index.ntotal} items of dimension {index.d}, users of dimension {dim}, "
            f"expected {vectors.shape[0]} items of dimension {vectors.shape[1]}; "
            "take index, items and users of the same run"
        )


def _titles_of(item_ids: pa.Array, titles: pa.Table) -> pa.Array:
    known = titles.column("item_id").combine_chunks()
    positions = pc.index_in(item_ids, value_set=known)
    if positions.null_count:
        first = item_ids.filter(positions.is_null())[0].as_py()
        raise DataError(
            f"titles: {positions.null_count} items have no row "
            f"(first: {first!r}); run the stages from clean on again"
        )
    return titles.column("title").combine_chunks().take(positions)


def _hidden(users: pa.Table, *, keep_seen: bool) -> Histories:
    if keep_seen:
        return Histories(np.zeros(0, np.int64), np.zeros(users.num_rows + 1, np.int64))
    histories = users.column("history").combine_chunks()
    lengths = pc.list_value_length(histories).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Histories(histories.flatten().to_numpy().astype(np.int64), offsets)
