"""A trained recommender in; vectors of its items and users for retrieval out.

Shapes: N items incl. padding, U users, D' width of a query.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from torch import Tensor

from mmrec import schemas
from mmrec.data.histories import Histories
from mmrec.evaluation.evaluator import encode_histories
from mmrec.io import DataError
from mmrec.recommender import VectorRecommender, inference


def retrieval_vectors(
    recommender: VectorRecommender,
    histories: Histories,
    *,
    items: pa.Table,
    users: pa.Table,
) -> tuple[pa.Table, pa.Table]:
    """Tables `item_vectors` and `user_vectors`: inner product = the model's score.

    Args:
        recommender: the model, on its device.
        histories: everything each user did, a row per user; one without history gets a
            zero vector.
        items: `CLEAN_ITEMS`.
        users: `CLEAN_USERS`.

    Raises:
        DataError: the tables are not of the items or users that the model and histories have.
        ValueError: a vector is not finite.
    """
    with inference(recommender):
        table = recommender.item_table().detach()  # [N, D']
        queries = encode_histories(recommender, histories.to(table.device), table)
    return vector_tables(table, queries, histories, items=items, users=users)


def vector_tables(
    table: Tensor, queries: Tensor, histories: Histories, *, items: pa.Table, users: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """The same of an item table [N, D'] and of queries [U, D'] that are there already."""
    item_vectors = _checked(table[1:], items, "item")
    user_vectors = _checked(queries, users, "user")
    columns = {name: items.column(name) for name in ("item_index", "item_id", "title")}
    item_table = pa.table({**columns, "vector": _vectors(item_vectors)})
    columns = {name: users.column(name) for name in ("user_index", "user_id")}
    history = _lists(histories)
    user_table = pa.table({**columns, "vector": _vectors(user_vectors), "history": history})
    return (
        item_table.cast(schemas.item_vectors(item_vectors.shape[1])),
        user_table.cast(schemas.user_vectors(user_vectors.shape[1])),
    )


def _checked(vectors: Tensor, rows: pa.Table, what: str) -> Tensor:
    if len(vectors) != rows.num_rows:
        raise DataError(
            f"{rows.num_rows} rows in the table of {what}s, {len(vectors)} {what} vectors; "
            "run the stages from clean on again"
        )
    wrong = (~vectors.isfinite()).any(dim=1).nonzero().squeeze(1)
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} {what} vectors are not finite (first rows: {wrong[:5].tolist()}); "
            "train the model again with a lower learning_rate"
        )
    return vectors.float().cpu()


def _vectors(vectors: Tensor) -> pa.FixedSizeListArray:
    values = pa.array(vectors.contiguous().numpy().reshape(-1))
    return pa.FixedSizeListArray.from_arrays(
        values, type=schemas.vector(vectors.shape[1], pa.float32())
    )


def _lists(histories: Histories) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(histories.lengths.numpy())])
    values = pa.array(histories.flat().numpy())
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
