"""A trained recommender in; ranks of held-out items and vectors for retrieval out.

Shapes: R users, B users of a chunk, N items incl. padding, D' width of a query.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from mmrec import schemas
from mmrec.data.histories import Histories, inference_batches
from mmrec.data.split import HeldOut
from mmrec.device import choose_device
from mmrec.evaluation.metrics import metric_names, summarize
from mmrec.evaluation.ranks import mask_items_, rank_targets
from mmrec.evaluation.side_by_side import side_by_side
from mmrec.io import DataError
from mmrec.nn.scoring import score
from mmrec.recommender import History, Recommender, VectorRecommender, inference

TOKEN_BUDGET = {"cpu": 1 << 13}
TOKEN_BUDGET_ELSEWHERE = 1 << 18
"""Positions, padding included, that go through the sequence encoder at once."""
SCORE_BUDGET = {"cpu": 1 << 20}
SCORE_BUDGET_ELSEWHERE = 1 << 26
"""Scores in memory at once: 4 MiB stay in a CPU's cache, an accelerator wants more to do."""
CHUNK_STEP = 32
"""Users scored at once are a multiple of it: with fewer, reading the table takes longest, and
torch finds the largest of other numbers of scores in ten times the time."""


def evaluate_ranks(
    recommender: Recommender,
    held_out: HeldOut,
    *,
    mask_history: bool,
    is_cold: Tensor,
    training_counts: Tensor,
) -> pa.Table:
    """`RANKS` table: every held-out item among the whole catalogue, a row per user.

    Args:
        recommender: the model, on its device.
        held_out: histories and what came next; nothing in it need be on that device.
        mask_history: items of the whole history compete at minus infinity.
        is_cold: bool [N], by item index.
        training_counts: [N], training interactions by item index.

    Raises:
        ValueError: a score is not finite.
    """
    ranks = rank_held_out(recommender, held_out, mask_history=mask_history)
    columns = {
        "user_index": held_out.histories.users,
        "target": held_out.targets,
        "rank": ranks,
        "target_is_cold": is_cold[held_out.targets],
        "target_training_count": training_counts[held_out.targets],
        "history_length": held_out.histories.lengths,
    }
    table = pa.table({name: pa.array(column.numpy()) for name, column in columns.items()})
    return table.cast(schemas.RANKS)


def validation_metrics(
    recommender: Recommender,
    held_out: HeldOut,
    *,
    mask_history: bool,
    cutoffs: Sequence[int],
) -> dict[str, float]:
    """Mean metrics over the held-out items, for choosing the best epoch.

    Raises:
        DataError: nobody is held out.
    """
    require_held_out(held_out)
    ranks = rank_held_out(recommender, held_out, mask_history=mask_history)
    summary = summarize(ranks.numpy(), metric_names(cutoffs))
    return {name: float(value) for name, value in summary.items() if name != "num_users"}


def require_held_out(held_out: HeldOut) -> None:
    """Refuse to validate on nobody.

    Raises:
        DataError: nobody is held out.
    """
    if not held_out.histories.num_rows:
        raise DataError(
            "no user to validate on: none has three interactions (or, with warm items only, "
            "a warm target after a warm item); lower clean.user_core or bring more interactions"
        )


def rank_held_out(recommender: Recommender, held_out: HeldOut, *, mask_history: bool) -> Tensor:
    """Rank of every target, int64 [R] on the CPU, scored in chunks of users."""
    with inference(recommender):
        scored = _scorer(recommender, held_out.histories)
        histories = held_out.histories.to(scored.device)
        targets = held_out.targets.to(scored.device)

        @torch.no_grad()
        def ranks_of(rows: Tensor) -> Tensor:
            scores = scored.scores(rows)  # [B, N]
            if mask_history:
                mask_items_(scores, histories.padded(rows), targets[rows])
            return rank_targets(scores, targets[rows])

        chunks = _chunks(histories, recommender.num_items)
        ranks = [targets[:0], *side_by_side(ranks_of, chunks, scored.device)]
    return torch.cat(ranks).cpu()


class _Scorer(NamedTuple):
    """Scores [B, N] of rows [B] of some histories, on a device."""

    device: torch.device
    scores: Callable[[Tensor], Tensor]


def _scorer(recommender: Recommender, histories: Histories) -> _Scorer:
    if not isinstance(recommender, VectorRecommender):
        device = choose_device()
        latest = histories.to(device).latest(recommender.max_sequence_length)

        def scores_of(rows: Tensor) -> Tensor:
            scores = recommender.scores(History(latest.users[rows], latest.padded(rows)))
            scores[:, 0] = -torch.inf
            return scores

        return _Scorer(device, scores_of)
    table = recommender.item_table().detach()  # [N, D']
    queries = _encode(recommender, histories.to(table.device), table)  # [R, D']
    if not (queries.isfinite().all() and table.isfinite().all()):
        raise ValueError(
            "the model gives vectors that are not finite; train it again with a lower learning_rate"
        )
    return _Scorer(table.device, lambda rows: score(queries[rows], table))


def _chunks(histories: Histories, num_items: int) -> tuple[Tensor, ...]:
    """Rows in chunks, what is left over in the last: a product of few rounds equal items unlike."""
    longest = int(histories.lengths.max()) if histories.num_rows else 0
    rows = torch.arange(histories.num_rows, device=histories.users.device)
    budget = SCORE_BUDGET.get(rows.device.type, SCORE_BUDGET_ELSEWHERE)
    # Masking pads the histories, as 64-bit integers.
    steps = budget // (CHUNK_STEP * max(num_items, 4 * longest))
    size = CHUNK_STEP * max(1, steps)
    num_chunks = max(1, len(rows) // size)
    return torch.tensor_split(rows, [size * chunk for chunk in range(1, num_chunks)])


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
        queries = _encode(recommender, histories.to(table.device), table)
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


def _encode(recommender: VectorRecommender, histories: Histories, table: Tensor) -> Tensor:
    """Query of every row [R, D'] in the type of the table; zeros without history."""
    queries = table.new_zeros(histories.num_rows, table.shape[1])
    budget = TOKEN_BUDGET.get(table.device.type, TOKEN_BUDGET_ELSEWHERE)
    for rows, items in inference_batches(
        histories, max_sequence_length=recommender.max_sequence_length, token_budget=budget
    ):
        history = History(histories.users[rows], items)
        queries[rows] = recommender.encode_by(table, history).to(table.dtype)
    return queries


def _vectors(vectors: Tensor) -> pa.FixedSizeListArray:
    values = pa.array(vectors.contiguous().numpy().reshape(-1))
    return pa.FixedSizeListArray.from_arrays(
        values, type=schemas.vector(vectors.shape[1], pa.float32())
    )


def _lists(histories: Histories) -> pa.ListArray:
    offsets = np.concatenate([[0], np.cumsum(histories.lengths.numpy())])
    values = pa.array(histories.flat().numpy())
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)
