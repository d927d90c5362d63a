"""A trained recommender in; ranks of held-out items among all, and the best items of all, out.

Shapes: R users, B users of a chunk, N items incl. padding, K length of a list, D' width of a query.
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
from mmrec.evaluation.metrics import VALIDATION_LOSS, metric_names, summarize
from mmrec.evaluation.ranks import mask_items_, rank_targets
from mmrec.evaluation.side_by_side import side_by_side
from mmrec.evaluation.top_items import rounds, top_items
from mmrec.evaluation.validation_loss import TargetLosses
from mmrec.io import DataError
from mmrec.nn.scoring import score
from mmrec.params.pipeline import MaskHistory
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


class Ranked(NamedTuple):
    """What the scores of held-out rows gave, on the CPU."""

    ranks: Tensor  # int64 [R], of every target
    lists: Tensor  # int64 [R, K], the best items of all; 0 where there are no more


def ranks_table(
    ranks: Tensor, held_out: HeldOut, *, is_cold: Tensor, training_counts: Tensor
) -> pa.Table:
    """`RANKS` table: every held-out item among the whole catalogue.

    Args:
        ranks: int64 [R].
        held_out: histories and what came next.
        is_cold: bool [N], by item index.
        training_counts: [N], training interactions by item index.
    """
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


def lists_table(lists: Tensor, held_out: HeldOut) -> pa.Table:
    """`LISTS` table of item indices [R, K], where 0 is no item."""
    offsets = np.concatenate([[0], np.cumsum((lists > 0).sum(dim=1).numpy())])
    items = pa.ListArray.from_arrays(
        pa.array(offsets.astype(np.int32)), pa.array(lists[lists > 0].numpy())
    )
    table = pa.table({"user_index": held_out.histories.users.numpy(), "items": items})
    return table.cast(schemas.LISTS)


def validation_metrics(
    recommender: Recommender,
    held_out: HeldOut,
    *,
    mask_history: bool,
    cutoffs: Sequence[int],
    log_weights: Tensor | None = None,
) -> dict[str, float]:
    """Mean metrics over the held-out items, for choosing the best epoch.

    Args:
        recommender: the model, on its device.
        held_out: histories and what came next.
        mask_history: items of the history are no candidates.
        cutoffs: the K.
        log_weights: of the softmax whose loss comes first, as `TargetLosses` takes them; None for
            no loss.

    Raises:
        DataError: nobody is held out.
    """
    require_held_out(held_out)
    losses = None if log_weights is None else TargetLosses(len(held_out.targets), log_weights)
    ranked = rank_held_out(recommender, held_out, mask_history=mask_history, losses=losses)
    summary = summarize(ranked.ranks.numpy(), metric_names(cutoffs))
    loss = None if losses is None else losses.mean()
    metrics = {name: float(value) for name, value in summary.items() if name != "num_users"}
    return metrics if loss is None else {VALIDATION_LOSS: loss, **metrics}


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


def rank_held_out(
    recommender: Recommender,
    held_out: HeldOut,
    *,
    mask_history: MaskHistory,
    list_length: int = 0,
    losses: TargetLosses | None = None,
) -> Ranked:
    """Rank of every target, and lists of the best items, scored in chunks of users.

    Args:
        recommender: the model, on its device.
        held_out: histories and what came next; nothing in it need be on that device.
        mask_history: items of the whole history are no candidates, or candidates with score 0,
            unless they are the target.
        list_length: K; lists are of the candidates among which targets are ranked.
        losses: takes the scores before anything is masked.

    Raises:
        ValueError: a score is not finite.
    """
    with inference(recommender):
        scorer = scorer_of(recommender, held_out.histories)
        return rank_by(
            scorer, held_out, mask_history=mask_history, list_length=list_length, losses=losses
        )


class Scorer(NamedTuple):
    """Scores [B, N] of rows [B] of some histories, on a device; item 0 means nothing."""

    device: torch.device
    num_items: int
    scores: Callable[[Tensor], Tensor]


def rank_by(
    scorer: Scorer,
    held_out: HeldOut,
    *,
    mask_history: MaskHistory,
    list_length: int = 0,
    losses: TargetLosses | None = None,
) -> Ranked:
    """The same by anything that scores the rows of what is held out; gradients are not taken."""
    histories = held_out.histories.to(scorer.device)
    targets = held_out.targets.to(scorer.device)
    seen_at = 0.0 if mask_history == "zero" else -torch.inf

    @torch.no_grad()
    def ranked(rows: Tensor) -> Ranked:
        scores = scorer.scores(rows)  # [B, N]
        if losses is not None:
            losses.add(rows, scores, targets[rows])
        if mask_history:
            mask_items_(scores, histories.padded(rows), targets[rows], at=seen_at)
        if not list_length:
            return Ranked(rank_targets(scores, targets[rows]), targets.new_zeros(len(rows), 0))
        found = rounds(scores)
        ranks = rank_targets(scores, targets[rows], found[-1].amax(dim=0))
        return Ranked(ranks, top_items(found, list_length))

    chunks = row_chunks(histories, scorer.num_items)
    nobody = Ranked(targets[:0], targets.new_zeros(0, list_length))
    found = [nobody, *side_by_side(ranked, chunks, scorer.device)]
    ranks, lists = zip(*found, strict=True)
    return Ranked(torch.cat(ranks).cpu(), torch.cat(lists).cpu())


def scorer_of(recommender: Recommender, histories: Histories) -> Scorer:
    """What scores rows of histories by a model, within `inference` of it.

    Raises:
        ValueError: a vector is not finite.
    """
    if not isinstance(recommender, VectorRecommender):
        device = choose_device()
        latest = histories.to(device).latest(recommender.max_sequence_length)

        def scores_of(rows: Tensor) -> Tensor:
            scores = recommender.scores(History(latest.users[rows], latest.padded(rows)))
            scores[:, 0] = -torch.inf
            return scores

        return Scorer(device, recommender.num_items, scores_of)
    table = recommender.item_table().detach()  # [N, D']
    queries = encode_histories(recommender, histories.to(table.device), table)  # [R, D']
    if not (queries.isfinite().all() and table.isfinite().all()):
        raise ValueError(
            "the model gives vectors that are not finite; train it again with a lower learning_rate"
        )
    return Scorer(table.device, len(table), lambda rows: score(queries[rows], table))


def row_chunks(histories: Histories, num_items: int) -> tuple[Tensor, ...]:
    """Rows in chunks, what is left over in the last: a product of few rounds equal items unlike."""
    longest = int(histories.lengths.max()) if histories.num_rows else 0
    rows = torch.arange(histories.num_rows, device=histories.users.device)
    budget = SCORE_BUDGET.get(rows.device.type, SCORE_BUDGET_ELSEWHERE)
    # Masking pads the histories, as 64-bit integers.
    steps = budget // (CHUNK_STEP * max(num_items, 4 * longest))
    size = CHUNK_STEP * max(1, steps)
    num_chunks = max(1, len(rows) // size)
    return torch.tensor_split(rows, [size * chunk for chunk in range(1, num_chunks)])


def encode_histories(recommender: VectorRecommender, histories: Histories, table: Tensor) -> Tensor:
    """Query of every row [R, D'] in the type of the table; zeros without history."""
    queries = table.new_zeros(histories.num_rows, table.shape[1])
    budget = TOKEN_BUDGET.get(table.device.type, TOKEN_BUDGET_ELSEWHERE)
    for rows, items in inference_batches(
        histories, max_sequence_length=recommender.max_sequence_length, token_budget=budget
    ):
        history = History(histories.users[rows], items)
        queries[rows] = recommender.encode_by(table, history).to(table.dtype)
    return queries
