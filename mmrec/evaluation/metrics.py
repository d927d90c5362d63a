"""Metrics as functions of ranks alone: any cut-off or slice without the model.

With one relevant item to be found at a time, at rank r:

- `recall@K`: 1 if r <= K, else 0 (the share of relevant items found, here also hit rate);
- `ndcg@K`: 1 / log2(r + 1) if r <= K, else 0 (the ideal gain is 1);
- `mrr@K`: 1 / r if r <= K, else 0; `mrr` is the same without a cut-off.

Each is the mean over users; where a user has several items to be found, one after the other, as
of cold positions and of a split by time that asks for all, over these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec.evaluation.history_groups import group_members, history_groups, is_history_group

_METRIC = re.compile(r"(recall|ndcg|mrr)@([1-9]\d*)")
_COMPARED_PARTS = ("all", "warm", "cold")
_COMPARED_CUTOFFS = (10, 20)

VALIDATION_LOSS = "validation_loss"
"""Column of a training's history: what its loss is on the targets that it is validated on."""

REFERENCES = ("random", "popularity")
"""Rankings that have learned nothing, by increasing quality: see `knowing_nothing`."""

COLD_POSITION_PARTS = ("cold_positions", "cold_positions_few", "cold_positions_new")
"""Cold positions: all; of items with a few training interactions; of those without any."""

Summary = dict[str, float | int]
"""Metrics of a group of users, and `num_users`; an empty group has no metrics. Of cold positions,
and where users have several items held out, also `num_samples`: these are what means are over."""


def user_metrics(ranks: npt.NDArray[np.int64], name: str) -> npt.NDArray[np.float64]:
    """Value of one metric for each user, from ranks (1 = best).

    Raises:
        ValueError: there is no metric of this name.
    """
    if name == "mrr":
        return 1.0 / ranks
    match = _METRIC.fullmatch(name)
    if match is None:
        raise ValueError(
            f"metric '{name}' is unknown; allowed are recall@K, ndcg@K, mrr@K with K >= 1, and mrr"
        )
    gains = {
        "recall": np.ones(len(ranks)),
        "ndcg": 1.0 / np.log2(ranks + 1.0),
        "mrr": 1.0 / ranks,
    }
    return np.where(ranks <= int(match[2]), gains[match[1]], 0.0)


def reference_column(metric: str, reference: str) -> str:
    """Column of a training's history with the metric of one of `REFERENCES`: the same in all rows.

    >>> reference_column("recall@20", "random")
    'recall@20_random'
    """
    return f"{metric}_{reference}"


def is_reference(name: str) -> bool:
    """Whether a column of a training's history is that of a reference."""
    metric, _, reference = name.rpartition("_")
    return reference in REFERENCES and is_metric(metric)


def is_metric(name: str) -> bool:
    """Whether this is the name of a metric."""
    return name == "mrr" or _METRIC.fullmatch(name) is not None


def metric_names(cutoffs: Iterable[int]) -> list[str]:
    """All metrics at the given cut-offs, and `mrr`."""
    return [f"{kind}@{k}" for k in cutoffs for kind in ("recall", "ndcg", "mrr")] + ["mrr"]


def summarize(ranks: npt.NDArray[np.int64], names: Iterable[str]) -> Summary:
    """Mean metrics of a group of users; only `num_users` where it is empty."""
    if not len(ranks):
        return {"num_users": 0}
    means = {name: float(user_metrics(ranks, name).mean()) for name in names}
    return {**means, "num_users": len(ranks)}


def summarize_ranks(
    table: pa.Table, *, cutoffs: Sequence[int], history_bins: Sequence[int]
) -> dict[str, Summary | dict[str, Summary]]:
    """All metrics of all groups of users, from a `RANKS` table.

    Groups: `all` users; users whose target is `cold` or `warm`, or `new`, that is cold
    without a single training interaction; and by `history_length`.

    Args:
        table: one row per user; or more, which come with `num_samples` then.
        cutoffs: the K of recall@K, ndcg@K and mrr@K.
        history_bins: ascending upper ends of the groups by history length; a last group
            holds what is longer.
    """
    names = metric_names(cutoffs)
    users, ranks = _column(table, "user_index"), _column(table, "rank")
    are_samples = has_several(users)

    def of(members: npt.NDArray[np.bool_]) -> Summary:
        return summarize(ranks[members], names) | group_size(users[members], samples=are_samples)

    is_cold = _column(table, "target_is_cold").astype(bool)
    is_new = _column(table, "target_training_count") == 0
    length = _column(table, "history_length")
    by_length = {
        name: of(members) for name, members in history_groups(length, history_bins).items()
    }
    return {
        "all": of(np.ones(len(ranks), dtype=bool)),
        "cold": of(is_cold),
        "warm": of(~is_cold),
        "new": of(is_new),
        "history_length": by_length,
    }


def summarize_cold_positions(table: pa.Table, *, cutoffs: Sequence[int]) -> dict[str, Summary]:
    """All metrics of each of `COLD_POSITION_PARTS`, from a `RANKS` table of cold positions.

    Args:
        table: any number of rows per user.
        cutoffs: the K of recall@K, ndcg@K and mrr@K.
    """
    names = metric_names(cutoffs)
    summaries = {}
    for part in COLD_POSITION_PARTS:
        samples = table.filter(pa.array(part_members(table, part)))
        size = group_size(_column(samples, "user_index"), samples=True)
        summaries[part] = summarize(_column(samples, "rank"), names) | size
    return summaries


def has_several(users: npt.NDArray[np.int64]) -> bool:
    """Whether any user has several rows."""
    return len(np.unique(users)) < len(users)


def group_size(users: npt.NDArray[np.int64], *, samples: bool) -> Summary:
    """How large a group is.

    Args:
        users: of its rows.
        samples: whether users may have several, in this group or in another one.
    """
    size: Summary = {"num_users": len(np.unique(users))}
    return size | ({"num_samples": len(users)} if samples else {})


def unit_of(table: pa.Table, part: str) -> str:
    """What a part of a `RANKS` table is counted in: `sample` where users may have several.

    Args:
        table: the whole one, of held-out items or of cold positions.
        part: such as `all`.
    """
    samples = part in COLD_POSITION_PARTS or has_several(_column(table, "user_index"))
    return "sample" if samples else "user"


def part_members(table: pa.Table, part: str) -> npt.NDArray[np.bool_]:
    """Which rows of a `RANKS` table are in a part, bool: of held-out items, or of cold positions.

    A part may also be a group by history length, such as `6-10`.

    Raises:
        KeyError: there is no part of this name.
    """
    if is_history_group(part):
        return group_members(_column(table, "history_length"), part)
    is_cold = _column(table, "target_is_cold").astype(bool)
    is_new = _column(table, "target_training_count") == 0
    everything = np.ones(table.num_rows, dtype=bool)
    whole, few, new = COLD_POSITION_PARTS
    members: npt.NDArray[np.bool_] = {
        "all": everything,
        "warm": ~is_cold,
        "cold": is_cold,
        "new": is_new,
        whole: everything,
        few: ~is_new,
        new: is_new,
    }[part]
    return members


def compared_metrics(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Summary]:
    """The content of `metrics.json`: recall and NDCG at 10 and 20 of all, warm and cold targets.

    So few that a table of all runs can be read. Where no cut-off is 10 or 20, the nearest is.

    Args:
        summaries: of `summarize_ranks`.
    """
    return {
        part: {
            name: summaries[part][name]
            for name in (
                *(count for count in ("num_users", "num_samples") if count in summaries[part]),
                *nearest_metrics(summaries[part], _COMPARED_CUTOFFS),
            )
        }
        for part in _COMPARED_PARTS
    }


def nearest_metrics(names: Iterable[str], cutoffs: Iterable[int]) -> list[str]:
    """Recall, then NDCG, at those cut-offs among `names` that are nearest to each of `cutoffs`.

    >>> nearest_metrics(["recall@5", "recall@20", "ndcg@5"], [10, 20])
    ['recall@5', 'recall@20', 'ndcg@5']
    """
    found = [match for match in map(_METRIC.fullmatch, names) if match]
    chosen = []
    for family in ("recall", "ndcg"):
        there = sorted(int(match[2]) for match in found if match[1] == family)
        nearest = {min(there, key=lambda k: abs(k - wanted)) for wanted in cutoffs if there}
        chosen += [f"{family}@{cutoff}" for cutoff in sorted(nearest)]
    return chosen


def _column(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.asarray(table.column(name).to_numpy(), dtype=np.int64)
