import torch
import torch.nn.functional as F

from mmrec.models.popularity.model import Popularity
from tests import reference
from tests.models import worlds


def test_popularity_scores_are_training_counts_for_everybody():
    model = Popularity(torch.tensor([0, 5, 2, 5, 9]))
    scores = worlds.scores(model, torch.tensor([[1, 2], [4, 0]]))
    assert scores.tolist() == [[-torch.inf, 5, 2, 5, 9]] * 2
    assert not list(model.parameters())


def test_equally_popular_items_tie_and_ties_lose():
    model = Popularity(torch.tensor([0, 5, 2, 5, 9]))
    scores = worlds.scores(model, torch.tensor([[2], [2], [2]]))
    assert reference.ranks(scores, torch.tensor([4, 1, 2])) == [1, 3, 4]


def test_padding_has_no_count():
    assert Popularity(torch.tensor([7, 5, 2])).item_table()[0] == 0


def build(name):
    return worlds.recommender(worlds.params(name)).double().eval()


def assert_scores_are_of_the_last_states(model, items, states):
    last = states[torch.arange(len(items)), (items != 0).sum(dim=1) - 1]
    scores = worlds.scores(model, items)
    torch.testing.assert_close(scores[:, 1:], (last @ model.item_ids.T)[:, 1:].detach())


def test_sasrec_scores_equal_the_padded_transformer():
    model, items = build("sasrec"), worlds.sequences([3, 7, 1])
    inputs = F.embedding(items, model.item_ids)
    states = reference.sequence_encoder(model.sequence_encoder, inputs, items != 0)
    assert_scores_are_of_the_last_states(model, items, states)


def test_gru4rec_scores_equal_the_padded_recurrent_unit():
    model, items = build("gru4rec"), worlds.sequences([3, 7, 1])
    states = reference.recurrent_encoder(model.sequence_encoder, F.embedding(items, model.item_ids))
    assert_scores_are_of_the_last_states(model, items, states)
