"""Scores of several recommenders in, their weighted sum out, each normalised for every user.

The score of item i for user u is the sum over parts p of

    weight(p, length of u's history, training interactions of i) * (score_p(u, i) - mean) / sd,

with mean and sd (population) of score_p(u, ·) over **the items of the catalogue that are not in u's
history**, the target among them or not: nothing that is asked for decides. They are the same
whether seen items are ranked or not, so that a user has one order of items. An sd below 1e-6 of
the largest such score is rounding: the part says nothing of this user and adds 0 to every item.
Everything is in double precision, so that a single part ranks as its run does, ties included.

Shapes: B users, N items incl. padding, P parts, H groups by history length, C groups of candidates
by training interactions, D' width of a part's query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmrec.data.histories import Histories
from mmrec.data.split import HeldOut
from mmrec.evaluation.evaluator import (
    Ranked,
    Scorer,
    encode_histories,
    rank_by,
    row_chunks,
    scorer_of,
)
from mmrec.nn.scoring import score
from mmrec.params.pipeline import MaskHistory
from mmrec.recommender import Recommender, VectorRecommender, inference

FLAT = 1e-6
"""A spread below this share of the largest score is what single precision leaves of none."""


@dataclass(frozen=True)
class PartWeights:
    """How much each part counts, for whom and for what.

    Attributes:
        values: float64 [H, C, P].
        history_ends: upper ends of the groups by history length, the last of which is open.
        count_ends: the same of candidates by training interactions.
    """

    values: Tensor
    history_ends: Sequence[int] = ()
    count_ends: Sequence[int] = ()

    @property
    def is_global(self) -> bool:
        """Whether everybody has the same for everything."""
        return self.values.shape[:2] == (1, 1)


class Spread(NamedTuple):
    """Mean and 1 / sd of each user's scores, float64 [B]; of scores that are all alike 0 for it."""

    mean: Tensor
    scale: Tensor


def spread_of(scores: Tensor, history: Tensor) -> Spread:
    """Of scores [B, N] over what is neither in the history [B, L] (0 = padding) nor padding.

    Raises:
        ValueError: a score is not finite.
    """
    counted = torch.ones_like(scores, dtype=torch.bool).scatter_(1, history, False)
    counted[:, 0] = False
    if not scores[:, 1:].isfinite().all():
        raise ValueError(
            "a part of the ensemble has scores that are not finite; look at its own evaluation, "
            "or train it again with a lower learning_rate"
        )
    num = counted.sum(dim=1).clamp(min=1)  # [B]
    values = scores.double().masked_fill_(~counted, 0.0)  # [B, N]
    largest = values.abs().amax(dim=1)
    mean = values.sum(dim=1) / num
    deviations = values.sub_(mean[:, None]).masked_fill_(~counted, 0.0)
    sd = (deviations.square_().sum(dim=1) / num).sqrt()
    is_flat = sd <= FLAT * largest
    return Spread(mean, torch.where(is_flat, 0.0, 1 / sd.masked_fill(is_flat, 1.0)))


def group_of(values: Tensor, ends: Sequence[int]) -> Tensor:
    """Which group each value is in: the first whose upper end it does not exceed, or the last."""
    return torch.bucketize(values, torch.tensor([*ends], device=values.device, dtype=values.dtype))


@dataclass(frozen=True)
class PartScores:
    """What scores the rows of some histories by each part, normalised.

    Attributes:
        scorers: one for each part, of the same device.
        histories: whole ones, on that device.
        training_counts: int64 [N], on that device.
    """

    scorers: Sequence[Scorer]
    histories: Histories
    training_counts: Tensor

    @property
    def device(self) -> torch.device:
        """Of all of it."""
        return self.scorers[0].device

    @property
    def num_items(self) -> int:
        """N."""
        return self.scorers[0].num_items

    def normalised(self, rows: Tensor) -> list[Tensor]:
        """Of each part, float64 [B, N] with padding at 0: as many as there are parts."""
        history = self.histories.padded(rows)
        found = []
        for scorer in self.scorers:
            scores = scorer.scores(rows)
            spread = spread_of(scores, history)
            own = scores.double().sub_(spread.mean[:, None]).mul_(spread.scale[:, None])
            own[:, 0] = 0.0
            found.append(own)
        return found

    def combined(self, parts: Sequence[Tensor], rows: Tensor, weights: PartWeights) -> Tensor:
        """Their weighted sum [B, N], padding at minus infinity.

        Args:
            parts: as `normalised` gives them.
            rows: of which users.
            weights: of the parts.
        """
        of_rows = group_of(self.histories.lengths[rows], weights.history_ends)
        of_items = group_of(self.training_counts, weights.count_ends)
        values = weights.values.to(self.device)[of_rows]  # [B, C, P]
        # With one group of candidates a column serves all items.
        places = of_items[:1] if values.shape[1] == 1 else of_items
        total = torch.zeros_like(parts[0])
        for place, own in enumerate(parts):
            # Not fused: equal scores stay equal wherever in memory they are.
            total.add_(own * values[:, places, place])
        total[:, 0] = -torch.inf
        return total


class Ensemble:
    """Recommenders of one catalogue that rank together.

    Args:
        parts: on one device.
        weights: of the parts.
        training_counts: int64 [N], training interactions by item index.
    """

    def __init__(
        self, parts: Sequence[Recommender], weights: PartWeights, training_counts: Tensor
    ) -> None:
        self.parts, self.weights, self.training_counts = parts, weights, training_counts

    @contextmanager
    def scoring(self, histories: Histories) -> Iterator[Scorer]:
        """What scores histories by the weighted sum, while the parts are in inference."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(inference(part))
            scores = part_scores(self.parts, histories, self.training_counts)

            def scores_of(rows: Tensor) -> Tensor:
                return scores.combined(scores.normalised(rows), rows, self.weights)

            yield Scorer(scores.device, scores.num_items, scores_of)

    def rank(self, held_out: HeldOut, *, mask_history: MaskHistory, list_length: int = 0) -> Ranked:
        """`rank_held_out` by the weighted sum."""
        with self.scoring(held_out.histories) as scorer:
            return rank_by(scorer, held_out, mask_history=mask_history, list_length=list_length)

    def vectors(self, histories: Histories) -> tuple[Tensor, Tensor] | None:
        """Item table [N, D'] and queries [R, D'] whose inner products rank as the sum does.

        Vectors of the parts side by side, queries times weight / sd of the user: what is missing of
        a score is the same for all items. Zeros without history. None where weights differ by
        group, or a part has no vectors.
        """
        parts = [part for part in self.parts if isinstance(part, VectorRecommender)]
        if not self.weights.is_global or len(parts) < len(self.parts):
            return None
        tables, queries = [], []
        for part, weight in zip(parts, self.weights.values[0, 0].tolist(), strict=True):
            with inference(part):
                table = part.item_table().detach()  # [N, D'] of the part
                own = encode_histories(part, histories.to(table.device), table)
            tables.append(table)
            queries.append(_weighed(own, table, histories.to(table.device), weight))
        return torch.cat(tables, dim=1), torch.cat(queries, dim=1)


def _weighed(queries: Tensor, table: Tensor, histories: Histories, weight: float) -> Tensor:
    """Queries [R, D'] times weight / sd of the scores that they give."""
    weighed = torch.zeros_like(queries)
    for rows in row_chunks(histories, len(table)):
        rows = rows[histories.lengths[rows] > 0]
        if len(rows):
            spread = spread_of(score(queries[rows], table), histories.padded(rows))
            scaled = queries[rows].double() * (weight * spread.scale[:, None])
            weighed[rows] = scaled.to(queries.dtype)
    return weighed


def part_scores(
    parts: Sequence[Recommender], histories: Histories, training_counts: Tensor
) -> PartScores:
    """What scores histories by each of the parts, within `inference` of all of them."""
    scorers = [scorer_of(part, histories) for part in parts]
    device = scorers[0].device
    return PartScores(scorers, histories.to(device), training_counts.to(device))
