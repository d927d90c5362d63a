"""What rankings that have learned nothing of sequences give: held-out items in, a metric out.

What a validation is worth shows beside them: a random order, and items by training interactions.

Shapes: R users, N items incl. padding, T items of all histories together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmrec.data.split import HeldOut
from mmrec.evaluation.metrics import REFERENCES, reference_column, user_metrics


def reference_metrics(
    held_out: HeldOut, training_counts: Tensor, metric: str, *, mask_history: bool
) -> dict[str, float]:
    """The deciding metric of each of `REFERENCES`, by its column of the history.

    >>> from mmrec.data.sequences import Sequences
    >>> from mmrec.data.split import hold_out_validation
    >>> held_out = hold_out_validation(Sequences.from_lists([[1, 2, 3], [3, 2, 1]]))
    >>> reference_metrics(held_out, torch.tensor([0, 5, 9, 9]), "recall@1", mask_history=True)
    {'recall@1_random': 0.5, 'recall@1_popularity': 0.5}
    """
    values = {
        "random": random_metric(held_out, len(training_counts), metric, mask_history=mask_history),
        "popularity": popularity_metric(
            held_out, training_counts, metric, mask_history=mask_history
        ),
    }
    return {reference_column(metric, name): values[name] for name in REFERENCES}


def random_metric(held_out: HeldOut, num_items: int, name: str, *, mask_history: bool) -> float:
    """A metric's exact expectation where every order of a user's candidates is as likely.

    Args:
        held_out: at least one row.
        num_items: N.
        name: such as `ndcg@10`.
        mask_history: what a user has seen is no candidate, unless it is the target.
    """
    candidates = torch.full_like(held_out.targets, num_items - 1)
    if mask_history:
        rows, _ = _seen_items(held_out, num_items)
        candidates -= torch.bincount(rows, minlength=len(candidates))
    # With c candidates every rank from 1 to c has the chance 1 / c.
    of_ranks = user_metrics(np.arange(1, num_items, dtype=np.int64), name)
    up_to = torch.from_numpy(np.cumsum(of_ranks))[candidates - 1]  # [R]
    return float((up_to / candidates).mean())


def popularity_metric(
    held_out: HeldOut, training_counts: Tensor, name: str, *, mask_history: bool
) -> float:
    """A metric where everybody gets items by training interactions [N]; ties count against it."""
    num_items = len(training_counts)
    counts = training_counts[1:].sort().values
    of_targets = training_counts[held_out.targets]  # [R]
    ranks = len(counts) - torch.searchsorted(counts, of_targets)
    if mask_history:
        rows, items = _seen_items(held_out, num_items)
        ahead = training_counts[items] >= of_targets[rows]
        ranks -= torch.bincount(rows[ahead], minlength=len(ranks))
    return float(user_metrics(ranks.numpy(), name).mean())


def _seen_items(held_out: HeldOut, num_items: int) -> tuple[Tensor, Tensor]:
    """Rows and items, int64 [at most T] each: what a row has seen, once each, targets left out."""
    lengths = held_out.histories.lengths
    rows = torch.arange(len(lengths)).repeat_interleave(lengths)
    seen = torch.unique(rows * num_items + held_out.histories.flat())
    rows, items = seen // num_items, seen % num_items
    other = items != held_out.targets[rows]
    return rows[other], items[other]
