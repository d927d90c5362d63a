"""BERT4Rec against padded rows, and where other implementations lose items."""

import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from mmrec.data.split import full_histories
from mmrec.evaluation.retrieval_vectors import retrieval_vectors
from tests import reference
from tests.models import worlds
from tests.models.worlds import NUM_ITEMS

MASK = NUM_ITEMS
LENGTH = 10  # of the encoder


@pytest.fixture
def model():
    found = worlds.recommender(worlds.params("bert4rec")).double().eval()
    with torch.no_grad():
        found.item_bias.normal_()
    return found


def states(model, items):
    """Of all positions of right-padded rows [B, L], masks among them, after the head."""
    table = torch.cat([model.item_ids, model.mask_vector.unsqueeze(0)])
    encoder = model.sequence_encoder
    found = reference.sequence_encoder(encoder, table[items], items != 0, direction="both")
    dense, _, norm = model.head
    return norm(F.gelu(dense(found)))


def slow_scores(model, state):
    """Of items 1 and up, [I]."""
    return model.item_ids[1:] @ state + model.item_bias[1:]


def test_scores_equal_the_padded_transformer_at_a_mask_behind_the_history(model):
    lengths = [3, 9, 1]
    items = worlds.sequences(lengths)
    asked = F.pad(items, (0, 1))
    asked[torch.arange(3), lengths] = MASK
    expected = [
        slow_scores(model, row[length])
        for row, length in zip(states(model, asked), lengths, strict=True)
    ]
    torch.testing.assert_close(worlds.scores(model, items)[:, 1:], torch.stack(expected).detach())


def test_the_loss_is_the_cross_entropy_over_items_and_biases_at_every_mask(model):
    objective = worlds.objective(worlds.params("bert4rec"), model).eval()
    items = torch.tensor([[MASK, 2, 4, MASK], [MASK, 0, 0, 0], [5, MASK, 0, 0]])
    targets = torch.tensor([[1, 0, 0, 6], [3, 0, 0, 0], [0, 12, 0, 0]])
    found = objective(worlds.Batch(items, targets))["masked_item"]
    total = sum(
        slow_scores(model, states(model, items)[row, column]).log_softmax(0)[
            targets[row, column] - 1
        ]
        for row, column in targets.nonzero().tolist()
    )
    torch.testing.assert_close(found, -total / 4)


def test_a_mask_knows_what_comes_after_it(model):
    rows, columns = torch.tensor([0]), torch.tensor([0])
    first, second = (
        model.queries_and_table(torch.tensor([[MASK, 2, last]]), rows, columns).queries
        for last in (4, 6)
    )
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("length", [1, 2, LENGTH - 1])
def test_the_oldest_item_of_a_history_counts(model, length):
    items = worlds.sequences([length])
    other = items.clone()
    other[0, 0] = items[0, 0] % (NUM_ITEMS - 1) + 1
    assert not torch.allclose(worlds.scores(model, items), worlds.scores(model, other))


def test_of_a_longer_history_the_latest_are_read_and_one_place_is_the_masks(model):
    assert model.max_sequence_length == LENGTH - 1
    older, latest = [7, 8, *([3] * 30)], [1, 2, 4, 5, 6, 9, 8, 3, 1]
    histories = [[*older[:size], *latest] for size in (0, 1, 20)]
    world = worlds.data(histories=histories)
    users = pa.table({"user_index": [0, 1, 2], "user_id": ["a", "b", "c"]})
    titles = {"item_index": list(range(1, NUM_ITEMS)), "title": [""] * (NUM_ITEMS - 1)}
    items = pa.table({**titles, "item_id": world.items["item_id"]})
    found = retrieval_vectors(model, full_histories(world.sequences), items=items, users=users)[1]
    one, *others = found["vector"].to_pylist()
    assert others == [pytest.approx(one)] * 2


def test_an_empty_history_is_a_mask_alone(model):
    found = worlds.scores(model, torch.zeros(1, 3, dtype=torch.int64))[0, 1:]
    expected = slow_scores(model, states(model, torch.tensor([[MASK]]))[0, 0])
    torch.testing.assert_close(found, expected.detach())


def test_the_mask_is_no_candidate_and_has_no_row_of_the_item_table(model):
    assert worlds.scores(model, worlds.sequences([4])).shape == (1, NUM_ITEMS)
    assert model.item_table().shape == (NUM_ITEMS, 8 + 1)
    assert model.item_parameters() == ("item_ids", "item_bias")
    assert model.item_ids.shape[0] == NUM_ITEMS


def test_the_bias_is_one_more_coordinate(model):
    before = worlds.scores(model, worlds.sequences([4]))[0]
    with torch.no_grad():
        model.item_bias[5] += 2
    after = worlds.scores(model, worlds.sequences([4]))[0]
    change = torch.zeros(NUM_ITEMS, dtype=torch.float64)
    change[5] = 2
    torch.testing.assert_close(after[1:] - before[1:], change[1:])


def test_settings_that_leave_no_room_are_refused():
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        worlds.params("bert4rec", architecture={"max_sequence_length": 1})
    with pytest.raises(ValidationError, match=r"batch_size \(9 targets\) cannot hold a row"):
        worlds.params("bert4rec", finetune={"batch_size": 9})
    with pytest.raises(ValidationError, match="batching"):
        worlds.params("bert4rec", finetune={"batching": "prefix"})


def test_the_defaults_are_those_of_the_build_line():
    params = worlds.params("bert4rec")
    architecture = type(params.architecture)()
    assert (architecture.embedding_dim, architecture.feedforward_dim) == (64, 256)
    assert (architecture.max_sequence_length, architecture.dropout) == (50, 0.2)
    assert (params.finetune.mask_probability, params.finetune.last_only_share) == (0.2, 0.5)
