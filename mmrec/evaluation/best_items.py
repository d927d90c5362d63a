"""A scorer and histories in; the best items after each history, with their scores, out.

Shapes: R histories, B of a chunk, N items incl. padding, K length of a list.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.data.histories import Histories
from mmrec.evaluation.evaluator import CHUNK_STEP, Scorer, row_chunks
from mmrec.evaluation.side_by_side import side_by_side
from mmrec.evaluation.top_items import rounds, top_items


class BestItems(NamedTuple):
    """Best first, of equal scores the smaller item index first; on the CPU."""

    items: Tensor  # int64 [R, K]; 0 where there are no more
    scores: Tensor  # [R, K], minus infinity there


def best_items(
    scorer: Scorer,
    histories: Histories,
    length: int,
    *,
    candidates: Tensor,
    keep_seen: bool,
) -> BestItems:
    """The `length` best candidates of each history, by the scores that evaluation ranks by.

    Args:
        scorer: of these histories.
        histories: R rows.
        length: K.
        candidates: bool [N], by item index.
        keep_seen: items of the history are candidates, too.

    Raises:
        ValueError: a score is NaN or plus infinity.
    """
    histories = histories.to(scorer.device)
    barred = ~candidates.to(scorer.device)  # [N]
    barred[0] = True

    @torch.no_grad()
    def found_of(rows: Tensor) -> BestItems:
        scores = scorer.scores(rows)  # [B, N]
        scores.masked_fill_(barred, -torch.inf)
        if not keep_seen:
            scores.scatter_(1, histories.padded(rows), -torch.inf)
        found = rounds(scores)
        # A maximum is NaN if any of its row is.
        _require_finite(found[-1].amax(dim=0))
        items = top_items(found, length)
        return BestItems(items, scores.gather(1, items))

    chunks = row_chunks(histories, scorer.num_items)
    items, scores = zip(*side_by_side(found_of, chunks, scorer.device), strict=True)
    return BestItems(torch.cat(items).cpu(), torch.cat(scores).cpu())


def at_least_a_chunk(histories: Histories) -> Histories:
    """The same rows, and where they are few the first again behind them, until a chunk is full.

    A product of few rounds equal items unlike, and another than evaluation's.
    """
    missing = CHUNK_STEP - histories.num_rows
    if missing <= 0 or not histories.num_rows:
        return histories
    rows = torch.cat([torch.arange(histories.num_rows), torch.zeros(missing, dtype=torch.int64)])
    return Histories(
        histories.items, histories.users[rows], histories.starts[rows], histories.lengths[rows]
    )


def _require_finite(largest: Tensor) -> None:
    if not (largest < torch.inf).all():
        raise ValueError(
            "the model gives scores that are not finite; train it again with a lower learning_rate"
        )
