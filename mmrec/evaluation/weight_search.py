"""Parts of an ensemble and validation targets in, the weights that rank these best out.

Tried are all weights that are multiples of 1 / steps and sum to 1: steps + 1 of two parts,
(steps + 1)(steps + 2) / 2 of three. First for everybody and everything alike. Then, where weights
may differ by group: each group by history length takes those of the tried that are best for its own
targets; and, where there are groups of candidates, these are gone through twice, one after the
other, each taking the weights that are best while the others stay as they are. Groups with too few
targets keep the global weights. Of equal ones the earlier wins, and single parts are tried first:
what is chosen is never worse on the validation targets than the best single part, and weights by
group never worse than global ones.

Shapes: R targets, S tried settings, H and C groups of histories and candidates, P parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrec.data.split import HeldOut
from mmrec.evaluation.ensemble import PartScores, PartWeights, group_of
from mmrec.evaluation.evaluator import row_chunks
from mmrec.evaluation.metrics import user_metrics
from mmrec.evaluation.ranks import mask_items_, rank_targets
from mmrec.evaluation.side_by_side import side_by_side

PASSES = 2
"""Times that the groups of candidates are gone through."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """By what weights may differ; nothing of it for global ones.

    Attributes:
        history_ends: as of `PartWeights`.
        count_ends: as of `PartWeights`.
        min_targets: a group by history length with fewer takes the global weights.
    """

    history_ends: Sequence[int] = ()
    count_ends: Sequence[int] = ()
    min_targets: int = 1


@dataclass(frozen=True)
class FoundWeights:
    """Weights, and the metric on the validation targets.

    Attributes:
        weights: that are chosen.
        value: of them.
        of_parts: of each part alone.
        of_global: of the best global weights.
        num_settings: how many were ranked by, over all targets.
        num_targets: R.
    """

    weights: PartWeights
    value: float
    of_parts: tuple[float, ...]
    of_global: float
    num_settings: int
    num_targets: int


def settings_of(num_parts: int, steps: int) -> Tensor:
    """All weights that are multiples of 1 / steps and sum to 1, float64 [S, P]; single parts first.

    >>> settings_of(2, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
    """
    shares = [
        parts for parts in product(range(steps, -1, -1), repeat=num_parts) if sum(parts) == steps
    ]
    single = [parts for parts in shares if max(parts) == steps]
    mixed = [parts for parts in shares if max(parts) < steps]
    return torch.tensor([*single, *mixed], dtype=torch.float64) / steps


def find_weights(
    scores: PartScores,
    held_out: HeldOut,
    *,
    metric: str,
    steps: int,
    mask_history: bool,
    groups: Groups,
) -> FoundWeights:
    """The best of what is tried.

    Args:
        scores: of the parts, of the histories that are held out.
        held_out: what is validated on, at least one row.
        metric: higher is better.
        steps: weights are multiples of 1 / steps.
        mask_history: what a user has seen is no candidate.
        groups: by what weights may differ.
    """
    settings = settings_of(len(scores.scorers), steps)  # [S, P]

    def values_of(tried: Sequence[PartWeights]) -> Floats:
        ranks = ranks_by(scores, held_out, tried, mask_history=mask_history)
        return np.stack([user_metrics(of_one, metric) for of_one in ranks.numpy()])

    values = values_of([PartWeights(setting[None, None]) for setting in settings])  # [S, R]
    means = values.mean(axis=1)
    lengths = group_of(held_out.histories.lengths, groups.history_ends).numpy()
    search = _GroupSearch(settings, groups, lengths, start=int(means.argmax()))
    search.by_history(values)
    num_settings = len(settings)
    for _, column in product(range(PASSES), range(len(groups.count_ends) + 1)):
        if groups.count_ends:
            search.by_candidates(column, values_of(search.tried(column)))
            num_settings += len(settings)
    return FoundWeights(
        search.weights(search.chosen),
        float(search.current.mean()),
        tuple(means[: settings.shape[1]].tolist()),
        float(means.max()),
        num_settings,
        len(lengths),
    )


class _GroupSearch:
    """Which of the settings each group has: at first all of them the best for everybody.

    Args:
        settings: [S, P].
        groups: by what they may differ.
        lengths: group by history length of each target, [R].
        start: the setting that is best for all targets.
    """

    def __init__(
        self, settings: Tensor, groups: Groups, lengths: npt.NDArray[np.int64], *, start: int
    ) -> None:
        self.settings, self.groups, self.start = settings, groups, start
        num_groups = len(groups.history_ends) + 1
        self.members = [lengths == group for group in range(num_groups)]
        self.large = [
            group
            for group, members in enumerate(self.members)
            if members.sum() >= groups.min_targets
        ]
        self.chosen = np.full((num_groups, len(groups.count_ends) + 1), start)  # [H, C]
        self.current = np.zeros(len(lengths))

    def weights(self, chosen: npt.NDArray[np.int64]) -> PartWeights:
        """Settings [H, C] as weights."""
        values = self.settings[torch.from_numpy(chosen)]  # [H, C, P]
        return PartWeights(values, self.groups.history_ends, self.groups.count_ends)

    def by_history(self, values: Floats) -> None:
        """Take for each group of histories the best for its own targets; metric values [S, R]."""
        self.current = values[self.start].copy()
        for group in self.large:
            members = self.members[group]
            best = int(values[:, members].mean(axis=1).argmax())
            self.chosen[group] = best
            self.current[members] = values[best, members]

    def tried(self, column: int) -> list[PartWeights]:
        """Every setting for one group of candidates, all others as they are."""
        found = []
        for setting in range(len(self.settings)):
            chosen = self.chosen.copy()
            chosen[self.large, column] = setting
            found.append(self.weights(chosen))
        return found

    def by_candidates(self, column: int, values: Floats) -> None:
        """Take what is better than what there is; metric values [S, R] of what was tried."""
        for group in self.large:
            members = self.members[group]
            means = values[:, members].mean(axis=1)
            best = int(means.argmax())
            if means[best] > self.current[members].mean():
                self.chosen[group, column] = best
                self.current[members] = values[best, members]


def ranks_by(
    scores: PartScores, held_out: HeldOut, tried: Sequence[PartWeights], *, mask_history: bool
) -> Tensor:
    """Rank of every target by each of several weights, int64 [S, R]; parts are scored once."""
    histories, targets = scores.histories, held_out.targets.to(scores.device)

    @torch.no_grad()
    def ranked(rows: Tensor) -> Tensor:
        parts, own = scores.normalised(rows), targets[rows]
        found = []
        for weights in tried:
            combined = scores.combined(parts, rows, weights)  # [B, N]
            if mask_history:
                mask_items_(combined, histories.padded(rows), own)
            found.append(rank_targets(combined, own))
        return torch.stack(found)

    chunks = row_chunks(histories, scores.num_items)
    return torch.cat([*side_by_side(ranked, chunks, scores.device)], dim=1).cpu()
