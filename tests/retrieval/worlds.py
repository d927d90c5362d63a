"""Small retrieval worlds and the slow answer to what must be recommended in them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mmrec import schemas


def item_table(vectors: np.ndarray, ids: list[str] | None = None) -> pa.Table:
    rows, dim = vectors.shape
    ids = ids or [f"i{index:05d}" for index in range(rows)]
    return pa.table(
        {
            "item_index": np.arange(1, rows + 1, dtype=np.int32),
            "item_id": ids,
            "title": [f"title of {item_id}" for item_id in ids],
            "vector": pa.FixedSizeListArray.from_arrays(vectors.astype(np.float32).ravel(), dim),
        }
    ).cast(schemas.item_vectors(dim))


def user_table(
    vectors: np.ndarray, histories: list[list[int]], ids: list[str] | None = None
) -> pa.Table:
    rows, dim = vectors.shape
    ids = ids or [f"u{index:05d}" for index in range(rows)]
    return pa.table(
        {
            "user_index": np.arange(rows, dtype=np.int32),
            "user_id": pa.array(ids, pa.string()),
            "vector": pa.FixedSizeListArray.from_arrays(vectors.astype(np.float32).ravel(), dim),
            "history": pa.array(histories, pa.list_(pa.int32())),
        }
    ).cast(schemas.user_vectors(dim))


def clean_items(ids: list[str], titles: list[str] | None = None) -> pa.Table:
    zeros = np.zeros(len(ids), np.int32)
    return pa.table(
        {
            "item_id": ids,
            "item_index": np.arange(1, len(ids) + 1, dtype=np.int32),
            "title": titles or [f"title of {item_id}" for item_id in ids],
            "num_sentences": zeros,
            "num_images": zeros,
            "training_count": zeros,
            "is_cold": zeros.astype(bool),
        },
        schema=schemas.CLEAN_ITEMS,
    )


def recommend_slowly(
    items: pa.Table, users: pa.Table, *, top_k: int, keep_seen: bool
) -> list[tuple[str, int, str, float]]:
    """Every pair scored in double precision, sorted by Python."""
    rows = []
    catalogue = items.to_pylist()
    for user in users.to_pylist():
        query = np.array(user["vector"])
        scored = [
            (-float(np.float32(query @ np.array(item["vector"]))), item["item_index"], item)
            for item in catalogue
            if keep_seen or item["item_index"] not in user["history"]
        ]
        scored.sort(key=lambda row: row[:2])
        rows += [
            (user["user_id"], rank, item["item_id"], -negative)
            for rank, (negative, _, item) in enumerate(scored[:top_k], start=1)
        ]
    return rows
