"""What ranks encodes the catalogue once, and items are alike whatever corrects their scores."""

from __future__ import annotations

import torch

from mmrec.data.histories import Histories
from mmrec.library.ranker import SingleRanker
from mmrec.models.popularity_correction import PopularityCorrected
from mmrec.recommender import History, VectorRecommender

TABLE = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
HISTORIES = Histories(torch.tensor([1, 2]).int(), *torch.tensor([[0, 1], [0, 1], [1, 1]]))


class Counted(VectorRecommender):
    """The vector of the last item; counts how often the catalogue is encoded."""

    def __init__(self) -> None:
        super().__init__(num_items=3, max_sequence_length=1)
        self.num_tables = 0

    def item_table(self) -> torch.Tensor:
        self.num_tables += 1
        return TABLE.clone()

    def encode(self, history: History) -> torch.Tensor:
        return TABLE[history.items[:, -1]]


def test_the_catalogue_is_encoded_once() -> None:
    model = Counted()
    ranker = SingleRanker(model, "counted")
    for _ in range(3):
        with ranker.scoring(HISTORIES) as scorer:
            assert torch.equal(scorer.scores(torch.arange(2))[:, 1:], (TABLE @ TABLE.T)[1:, 1:])
    table = ranker.item_table()
    assert table is not None
    assert torch.equal(table, TABLE)
    assert model.num_tables == 1


def test_items_are_alike_without_what_corrects_their_scores() -> None:
    corrected = PopularityCorrected(Counted(), torch.tensor([0, 5, 50]), power=1.0)
    ranker = SingleRanker(corrected, "counted")
    scored, alike = ranker.item_table(), ranker.likeness_table()
    assert scored is not None
    assert alike is not None
    assert scored.shape == (3, 3)
    assert torch.equal(alike, TABLE)
    assert ranker.without_vectors == ""
