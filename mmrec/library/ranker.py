"""What a finished run, or an ensemble of runs, ranks by: histories in, scores of items out.

Shapes: N items incl. padding, D' width of a query.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from torch import Tensor

from mmrec.data.histories import Histories
from mmrec.evaluation.ensemble import Ensemble
from mmrec.evaluation.evaluator import Scorer, scorer_of
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.recommender import History, Recommender, VectorRecommender, inference


class KeptTable(VectorRecommender):
    """The same model, which encodes the catalogue once and not whenever somebody asks."""

    def __init__(self, recommender: VectorRecommender) -> None:
        super().__init__(
            num_items=recommender.num_items, max_sequence_length=recommender.max_sequence_length
        )
        self.recommender = recommender
        self._table: Tensor | None = None

    def item_table(self) -> Tensor:
        """That of the model, [N, D']."""
        if self._table is None:
            self._table = self.recommender.item_table().detach()
        return self._table

    def encode(self, history: History) -> Tensor:
        """That of the model, [B, D']."""
        return self.recommender.encode(history)

    def encode_by(self, table: Tensor, history: History) -> Tensor:
        """That of the model, [B, D']."""
        return self.recommender.encode_by(table, history)


def kept(recommender: Recommender) -> Recommender:
    """The same, with its item table kept if it has one.

    It stays as it ranks: a thread that is done would else put it back to training, with dropout,
    for one that is not.
    """
    if isinstance(recommender, VectorRecommender):
        return KeptTable(recommender).eval()
    return recommender.eval()


class Ranker(Protocol):
    """Scores the catalogue after histories."""

    def scoring(self, histories: Histories) -> AbstractContextManager[Scorer]:
        """What scores the rows of some histories, inside."""

    def item_table(self) -> Tensor | None:
        """Item vectors [N, D'] whose inner product with a query is the score; None of none."""

    def likeness_table(self) -> Tensor | None:
        """Item vectors [N, D'] that say which items are alike; None of none."""

    @property
    def without_vectors(self) -> str:
        """Why there are no vectors that say which items are alike; empty where there are."""


class SingleRanker:
    """One model.

    Args:
        recommender: as it ranks, on its device.
        kind: its name, for messages.
    """

    def __init__(self, recommender: Recommender, kind: str) -> None:
        self._recommender, self._kept, self._kind = recommender, kept(recommender), kind

    @contextmanager
    def scoring(self, histories: Histories) -> Iterator[Scorer]:
        """As evaluation scores them."""
        with inference(self._kept):
            yield scorer_of(self._kept, histories)

    def item_table(self) -> Tensor | None:
        """As `evaluate` writes it."""
        return _table_of(self._kept)

    def likeness_table(self) -> Tensor | None:
        """The same without what corrects scores by popularity, which is no likeness."""
        model = self._recommender
        table = _table_of(
            model.recommender if isinstance(model, PopularityCorrected) else self._kept
        )
        return None if table is None or table.shape[1] < 2 else table

    @property
    def without_vectors(self) -> str:
        """Scores only, or a number for each item."""
        if not isinstance(self._recommender, VectorRecommender):
            return f"its model ({self._kind}) scores items without vectors of them"
        if self.likeness_table() is None:
            return f"its model ({self._kind}) has one number for an item, not a vector"
        return ""


class EnsembleRanker:
    """Several models that rank together; what they sum are scores, each with its own vectors."""

    without_vectors = "it is an ensemble, whose runs have each their own vectors; name one of them"

    def __init__(self, ensemble: Ensemble) -> None:
        self._ensemble = ensemble

    def scoring(self, histories: Histories) -> AbstractContextManager[Scorer]:
        """As evaluation scores them."""
        return self._ensemble.scoring(histories)

    def item_table(self) -> Tensor | None:
        """None."""
        return None

    def likeness_table(self) -> Tensor | None:
        """None."""
        return None


def _table_of(recommender: Recommender) -> Tensor | None:
    if not isinstance(recommender, VectorRecommender):
        return None
    with inference(recommender):
        return recommender.item_table().detach().float().cpu()
