import pytest
import torch
import torch.nn.functional as F

from mmrec.models.popularity.model import Popularity
from mmrec.nn.convolutional_encoder import ConvolutionalEncoder
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


def test_sasrec_may_score_by_cosines_over_a_temperature():
    params = worlds.params("sasrec", architecture={"score": "cosine", "temperature": 0.05})
    model, items = worlds.recommender(params).double().eval(), worlds.sequences([3, 7, 1])
    inputs = F.embedding(items, model.item_ids)
    states = reference.sequence_encoder(model.sequence_encoder, inputs, items != 0)
    last = states[torch.arange(len(items)), (items != 0).sum(dim=1) - 1]
    cosines = F.cosine_similarity(last[:, None], model.item_ids, dim=2)
    found = worlds.scores(model, items)[:, 1:]
    torch.testing.assert_close(found, cosines[:, 1:].detach() / 0.05)


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_sasrec_trains_on_what_it_ranks_by(score):
    params = worlds.params("sasrec", architecture={"score": score})
    model, items = worlds.recommender(params).double().eval(), worlds.sequences([3, 7])
    rows, columns = torch.tensor([0, 1, 1]), torch.tensor([2, 0, 6])
    queries, table = model.queries_and_table(items, rows, columns)
    candidates = torch.tensor([5, 2, 9])
    some = model.queries_and_candidates(items, rows, columns, candidates)
    torch.testing.assert_close(some.queries @ some.candidates.T, (queries @ table.T)[:, candidates])
    ranked = worlds.scores(model, items)[:, 1:]
    torch.testing.assert_close(ranked, (queries @ table.T)[[0, 2], 1:].detach())


def test_gru4rec_scores_equal_the_padded_recurrent_unit():
    model, items = build("gru4rec"), worlds.sequences([3, 7, 1])
    states = reference.recurrent_encoder(model.sequence_encoder, F.embedding(items, model.item_ids))
    assert_scores_are_of_the_last_states(model, items, states)


def nextitnet_states(encoder, inputs):
    """States of one sequence [l, D], item by item, padded with zeros on the left."""
    for block in encoder.blocks:
        hidden = convolved(block.first, block.first_norm, inputs)
        inputs = inputs + convolved(block.second, block.second_norm, hidden)
    return inputs


def convolved(convolution, norm, inputs):
    padding = inputs.new_zeros(2 * convolution.dilation, inputs.shape[1])
    padded = torch.cat([padding, inputs])
    windows = [
        padded[at : at + 2 * convolution.dilation + 1 : convolution.dilation]
        for at in range(len(inputs))
    ]
    return F.relu(norm(convolution.weights(torch.stack([window.flatten() for window in windows]))))


@pytest.mark.parametrize("tied", [True, False])
def test_nextitnet_scores_equal_left_padded_convolutions(tied):
    params = worlds.params("nextitnet", architecture={"tied": tied})
    model, items = worlds.recommender(params).double().eval(), worlds.sequences([3, 7, 1])
    table = model.item_ids if tied else model.output_ids
    found = worlds.scores(model, items)[:, 1:]
    for row, scores in zip(items, found, strict=True):
        states = nextitnet_states(model.sequence_encoder, model.item_ids[row[row != 0]])
        torch.testing.assert_close(scores, (table[1:] @ states[-1]).detach())


def test_an_untied_nextitnet_trains_both_of_its_matrices():
    params = worlds.params("nextitnet", architecture={"tied": False})
    model = worlds.recommender(params)
    assert model.item_parameters() == ("item_ids", "output_ids")
    every = set(range(1, worlds.NUM_ITEMS))
    candidates = {"full": every, "in_batch": {2, 4, 6}, "in_batch_sequences": {1, 2, 4, 6}}
    for loss, expected in candidates.items():
        params = worlds.params(
            "nextitnet", architecture={"tied": False}, finetune={"loss": {"name": loss}}
        )
        objective = worlds.objective(params, model)
        model.zero_grad()
        objective(worlds.dense_batch(torch.tensor([[1, 2, 4], [2, 6, 0]])))["next_item"].backward()
        read, scored = (
            set(table.grad.abs().sum(dim=1).nonzero().flatten().tolist())
            for table in (model.item_ids, model.output_ids)
        )
        assert read == {1, 2}
        assert scored == expected


def test_by_default_nextitnet_sees_as_far_as_it_reads():
    params = worlds.params("nextitnet")
    architecture = type(params.architecture)()
    encoder = ConvolutionalEncoder(embedding_dim=8, dilations=architecture.dilations)
    assert encoder.receptive_field == 61 >= architecture.max_sequence_length == 50
