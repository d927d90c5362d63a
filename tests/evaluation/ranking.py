"""Ranks of a recommender as the table that stages write."""

from __future__ import annotations

import pyarrow as pa
from torch import Tensor

from mmrec.data.split import HeldOut
from mmrec.evaluation.evaluator import rank_held_out, ranks_table
from mmrec.recommender import Recommender


def evaluate_ranks(
    recommender: Recommender,
    held_out: HeldOut,
    *,
    mask_history: bool,
    is_cold: Tensor,
    training_counts: Tensor,
) -> pa.Table:
    ranks, _ = rank_held_out(recommender, held_out, mask_history=mask_history)
    return ranks_table(ranks, held_out, is_cold=is_cold, training_counts=training_counts)
