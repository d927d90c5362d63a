"""MMSRec's fine-tuned model: who sees whom, what is a candidate, what a pre-training hands on."""

import math

import pytest
import torch

from mmrec.models.loading import TrainedWeights, load_pretrained
from tests.models import worlds
from tests.models.mmsrec_forms import (
    ARCHITECTURES,
    LENGTH,
    MASK,
    MODALITIES,
    built,
    params,
    straightforward,
)
from tests.models.worlds import NUM_ITEMS

HISTORIES = torch.tensor([[4, 7, 2, 11], [3, 5, 1, 0], [8, 0, 0, 0]])


def states(model, items, row=0):
    """At every step of one of right-padded rows."""
    steps = torch.arange(int((items[row] != 0).sum()))
    return model.queries_and_table(items, torch.full_like(steps, row), steps).queries


def without_positions(model):
    """The model with the same vector at all positions, so that nothing else can tell steps."""
    with torch.no_grad():
        model.sequence_encoder.positions.copy_(model.sequence_encoder.positions[0].clone())
    return model


@pytest.mark.parametrize("place", range(4))
def test_every_step_sees_every_other_the_earlier_and_the_later(place):
    model = built(params())
    items = torch.tensor([[4, 2, 9, MASK]])
    changed = items.clone()
    changed[0, place] = 11
    difference = (states(model, items) - states(model, changed)).abs().amax(dim=1)
    assert (difference > 1e-4).all(), difference


def test_of_a_set_of_items_without_positions_the_order_is_not_seen():
    model = without_positions(built(params()))
    scores = worlds.scores(model, torch.tensor([[4, 2, 9], [9, 4, 2]]))[:, 1:]
    torch.testing.assert_close(scores[0], scores[1])


@pytest.mark.parametrize("steps", [1, 3, LENGTH - 1])
def test_positions_count_back_from_the_mask_however_long_the_history(steps):
    model = built(params())
    history = worlds.sequences([steps])
    before = worlds.scores(model, history)
    first = LENGTH - 1 - steps
    with torch.no_grad():
        model.sequence_encoder.positions[1:first] *= -2  # row 0 is that of items, too
    torch.testing.assert_close(worlds.scores(model, history), before)
    for place in range(max(first, 1), LENGTH):
        with torch.no_grad():
            model.sequence_encoder.positions[place] *= -2
        after = worlds.scores(model, history)
        assert not torch.allclose(after[:, 1:], before[:, 1:]), place
        before = after


def test_padded_to_the_longest_of_a_batch_a_score_depends_on_the_rows_beside_it():
    model = built(params(pad_to="batch_max"))
    together, alone = worlds.scores(model, HISTORIES), worlds.scores(model, HISTORIES[2:, :1])
    assert not torch.allclose(together[2:, 1:], alone[:, 1:])
    # That of the longest does not.
    torch.testing.assert_close(together[:1], worlds.scores(model, HISTORIES[:1]))


def test_neither_padding_nor_the_mask_is_a_candidate():
    model = built(params())
    found = model.scores(worlds.history(HISTORIES))
    assert found.shape == (3, NUM_ITEMS)
    assert (found[:, 0] == -math.inf).all()
    assert model.item_table().shape == (NUM_ITEMS, 8)
    assert not model.item_table()[0].any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("modality", MODALITIES)
def test_items_are_the_same_ones_whatever_is_read(architecture, modality):
    """Each has a finite direction of length 1; those with nothing that is read share one."""
    settings = params(modality, **architecture)
    table = built(settings).item_table()[1:]
    assert table.isfinite().all()
    torch.testing.assert_close(table.norm(dim=1), torch.ones(NUM_ITEMS - 1).double())
    nothing = {"both": [7], "text": [3, 7], "image": [5, 7]}[modality]
    equal = torch.isclose(table, table[7 - 1], atol=1e-9).all(dim=1).nonzero().squeeze(1) + 1
    assert equal.tolist() == nothing


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("modality", MODALITIES)
def test_candidates_are_encoded_as_in_the_whole_table(architecture, modality):
    model = built(params(modality, **architecture))
    items = torch.tensor([[4, MASK, 7, MASK], [5, MASK, 0, 0]])
    asked = torch.tensor([0, 0, 1]), torch.tensor([1, 3, 1])
    candidates = torch.tensor([7, 2, 11, 2, 3])
    queries, table = model.queries_and_table(items, *asked)
    few = model.queries_and_candidates(items, *asked, candidates)
    torch.testing.assert_close(few.queries, queries)
    torch.testing.assert_close(few.candidates, table[candidates])


def test_layers_start_as_copies_of_one_and_as_torch_starts_them():
    model = worlds.recommender(params(embedding_dim=64, feedforward_dim=96))
    first, second = model.sequence_encoder.layers
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    attention = first.attention.query_key_value.weight
    bound = math.sqrt(6 / (64 + 3 * 64))  # of a joint map: Xavier-uniform of [3D, D]
    assert 0.97 * bound < attention.abs().max() <= bound
    normal = {
        name: value
        for name, value in model.named_parameters()
        if name.endswith(("project.weight", "expand.weight", "contract.weight", "output.weight"))
        or name in ("sequence_encoder.positions", "modality_types")
    }
    assert len(normal) == 2 + 2 + 3 * 2 + 2
    for name, value in normal.items():
        assert 0.017 < value.std() < 0.023, name
    assert all(not v.any() for name, v in model.named_parameters() if name.endswith(".bias"))


def pretrained(**changes):
    settings = worlds.params("mmsrec", **changes)
    model = built(settings, "pretrain")
    return TrainedWeights(model.state_dict(), worlds.data().items["item_id"], "weights")


def loaded(modality="both", positions="fresh", weights=None, **architecture):
    """A fine-tuning that starts from a pre-training, what it reports, and its own beginning."""
    settings = worlds.params(
        "mmsrec",
        architecture=architecture,
        finetune={"modality": modality, "positions": positions},
    )
    model = worlds.recommender(settings, seed=5).double()
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    weights = (weights or pretrained()).without(settings.not_taken())
    return settings, model, load_pretrained(model, weights.tensors), fresh


@pytest.mark.parametrize("positions", ["fresh", "pretrained"])
def test_everything_but_positions_is_taken_from_a_pre_training(positions):
    weights = pretrained()
    _, model, report, fresh = loaded(positions=positions, weights=weights)
    own = "sequence_encoder.positions"
    assert report.fresh == ([own] if positions == "fresh" else [])
    assert report.unused == []
    for name, value in model.state_dict().items():
        expected = fresh if name == own and positions == "fresh" else weights.tensors
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("modality", ["text", "image"])
def test_weights_of_both_modalities_serve_a_model_of_one(modality):
    settings, model, report, _ = loaded(modality)
    other = "image" if modality == "text" else "text"
    parts = [
        f"item_encoder.{other}.{part}.{kind}"
        for part in ("norm", "project")
        for kind in ("bias", "weight")
    ]
    assert report.unused == parts
    model.eval()
    expected = straightforward(settings, model).scores(HISTORIES).detach()
    torch.testing.assert_close(
        worlds.scores(model, HISTORIES)[:, 1:], expected, rtol=1e-5, atol=1e-5
    )


def test_a_pre_training_serves_longer_histories_unless_its_positions_are_asked_for():
    weights = pretrained(architecture={"max_sequence_length": 4})
    _, model, _, _ = loaded(weights=weights)
    assert len(model.sequence_encoder.positions) == LENGTH
    with pytest.raises(ValueError, match=r"sequence_encoder.positions has shape \(4, 8\)"):
        loaded(positions="pretrained", weights=weights)
