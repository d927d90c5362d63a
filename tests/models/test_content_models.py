"""Models that read each feature of an item as one vector."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from mmrec.models.items.pooled import pooled
from tests import reference
from tests.models import worlds

CONTENT = ["sasrecm", "fdsa", "morec"]
HISTORY = torch.tensor([[4, 7, 2, 11], [3, 5, 1, 0], [8, 0, 0, 0]])


def build(name, world=None, **architecture):
    model = worlds.recommender(worlds.params(name, architecture=architecture), world=world)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # biases and norms start at values that hide mistakes
        parameter.data.normal_(std=0.5, generator=generator)
    return model.double().eval()


def mean_vectors(model, modality, table):
    """One vector per item, [N, d]."""
    missing = model.get_parameter(f"item_encoder.{modality}.features.missing").detach()
    rows = []
    for item in range(worlds.NUM_ITEMS):
        own = table.vectors[table.offsets[item] : table.offsets[item + 1]].double()
        rows.append(own.sum(dim=0) / len(own) if len(own) else missing)
    return torch.stack(rows)


def heads(model, head):
    """What the head gives for each modality, [N, D] each."""
    tables = {"text": worlds.text_table(), "image": worlds.image_table()}
    return [
        head(model.get_submodule(f"item_encoder.{name}.head"), mean_vectors(model, name, table))
        for name, table in tables.items()
        if hasattr(model.item_encoder, name)
    ]


def mlp(module, vectors):
    return module.output(module.hidden(vectors).clamp(min=0)).clamp(min=0)


def dense_gelu(module, vectors):
    return F.gelu(vectors @ module.output.weight.T + module.output.bias)


def last(states):
    return states[torch.arange(len(HISTORY)), (HISTORY != 0).sum(dim=1) - 1]


def assert_scores_are(model, queries, table):
    # Means of half-precision rows are taken in single precision.
    torch.testing.assert_close(
        worlds.scores(model, HISTORY)[:, 1:],
        (queries @ table.T)[:, 1:].detach(),
        rtol=1e-5,
        atol=1e-5,
    )


MODALITIES = pytest.mark.parametrize("modality", ["both", "text", "image"])


@MODALITIES
def test_sasrecm_scores_equal_the_model_written_out(modality):
    model = build("sasrecm", modality=modality)
    table = model.item_ids + sum(heads(model, mlp))
    states = reference.sequence_encoder(model.sequence_encoder, table[HISTORY], HISTORY != 0)
    assert_scores_are(model, last(states), table)


@MODALITIES
def test_morec_scores_equal_the_model_written_out(modality):
    model = build("morec", modality=modality)
    table = sum(heads(model, dense_gelu))
    states = reference.sequence_encoder(model.sequence_encoder, table[HISTORY], HISTORY != 0)
    assert_scores_are(model, last(states), table)


def test_morec_can_join_its_two_heads_by_a_dense_map():
    model = build("morec", fusion="concat")
    text, image = heads(model, dense_gelu)
    fusion = model.item_encoder.fusion.output
    table = text @ fusion.weight[:, :8].T + image @ fusion.weight[:, 8:].T + fusion.bias
    states = reference.sequence_encoder(model.sequence_encoder, table[HISTORY], HISTORY != 0)
    assert_scores_are(model, last(states), table)


@MODALITIES
def test_fdsa_scores_equal_the_model_written_out(modality):
    model = build("fdsa", modality=modality)
    attention = model.item_encoder.fusion
    fields = heads(model, mlp)
    powers = [attention.score(attention.hidden(field).clamp(min=0)).exp() for field in fields]
    features = sum(p * field for p, field in zip(powers, fields, strict=True)) / sum(powers)
    ids = model.item_ids[HISTORY]
    first = reference.sequence_encoder(model.sequence_encoder, ids, HISTORY != 0)
    beside = BesideIds(model)
    second = reference.sequence_encoder(beside, features[HISTORY], HISTORY != 0)
    joined = model.join(torch.cat([first, second], dim=2))
    queries = F.layer_norm(joined, (8,), beside.input_norm.weight, beside.input_norm.bias, 1e-12)
    assert_scores_are(model, last(queries), model.item_ids)


class BesideIds:
    """The stream of features of an FDSA as an encoder of its own."""

    def __init__(self, model):
        self.input_norm = model.sequence_encoder.input_norm
        self.positions = model.sequence_encoder.positions
        self.layers = model.feature_layers


def test_fdsa_scores_know_no_features_of_candidates():
    model = build("fdsa")
    assert torch.equal(model.item_table()[1:], model.item_ids[1:])


@pytest.mark.parametrize("name", CONTENT)
def test_items_without_text_image_or_both_never_make_a_nan(name):
    params = worlds.params(name)
    objective = worlds.objective(params, worlds.recommender(params))
    whole = torch.tensor([[3, 5, 7, 3], [7, 7, 5, 0], [1, 7, 0, 0]])
    loss = objective(worlds.dense_batch(whole))["next_item"]
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in objective.parameters())
    model = objective.recommender
    assert model.item_table().isfinite().all()
    assert worlds.queries(model, whole).isfinite().all()


@pytest.mark.parametrize("name", CONTENT)
def test_what_stands_for_a_missing_feature_has_a_gradient_in_every_batch(name):
    """Several processes refuse a parameter that only a later batch trains."""
    params = worlds.params(name)
    objective = worlds.objective(params, worlds.recommender(params))
    whole = torch.tensor([[1, 2, 4, 6]])  # all have both
    objective(worlds.dense_batch(whole))["next_item"].backward()
    assert all(parameter.grad is not None for parameter in objective.parameters())


@pytest.mark.parametrize("name", ["sasrecm", "morec"])
@pytest.mark.parametrize("chunk", [1, 5, 13])
def test_the_item_table_does_not_depend_on_the_chunk(name, chunk, monkeypatch):
    model = build(name)
    whole = model.item_table()
    monkeypatch.setattr("mmrec.models.item_table.TABLE_CHUNK", chunk)
    torch.testing.assert_close(model.item_table(), whole)


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize(("absent", "present"), [("text", "image"), ("image", "text")])
def test_one_feature_alone_is_enough_where_it_is_asked_for(name, absent, present):
    changes = {"architecture": {"modality": present}}
    params = worlds.params(name, **changes)
    assert params.modalities("finetune") == (present,)
    world = worlds.data(**{absent: worlds.no_table()})
    objective = worlds.objective(params, worlds.recommender(params, world=world), world=world)
    loss = objective(worlds.dense_batch(worlds.sequences([4, 9, 2])))["next_item"]
    loss.backward()
    assert loss.isfinite()
    with pytest.raises(ValueError, match=f"{name} reads {absent} features, .* {absent}: none"):
        worlds.recommender(worlds.params(name), world=world)


@pytest.mark.parametrize("name", CONTENT)
def test_features_of_another_catalogue_are_refused(name):
    with pytest.raises(ValueError, match="text features are of 13 items, the catalogue has 20"):
        worlds.recommender(worlds.params(name), world=worlds.data(num_items=20))


@pytest.mark.parametrize("name", CONTENT)
def test_features_that_are_not_asked_for_are_not_read(name):
    world = worlds.data()
    world.features["image"]._read = None
    model = worlds.recommender(worlds.params(name, architecture={"modality": "text"}), world=world)
    assert not hasattr(model.item_encoder, "image")


def test_a_fusion_needs_something_to_join():
    with pytest.raises(ValidationError, match="'concat' joins two features, modality 'text' is"):
        worlds.params("morec", architecture={"modality": "text", "fusion": "concat"})


def test_a_feature_of_one_row_an_item_is_kept_as_it_is():
    table = worlds.table([1, 0, 1], dim=4)
    assert pooled(table).vectors is table.vectors


def test_rows_of_an_item_are_averaged_once():
    table = worlds.text_table()
    features = pooled(table)
    assert features.max_rows == 1
    assert features.offsets.diff().tolist() == (table.counts > 0).long().tolist()
    of_four = table.vectors[3:7].float().mean(dim=0)  # of item 4, after two of 1 and one of 2
    torch.testing.assert_close(features.vectors[2], of_four)


@pytest.mark.parametrize("name", CONTENT)
def test_the_parts_have_the_names_that_transfer_goes_by(name):
    names = set(build(name).state_dict())
    for prefix in ("item_encoder.text.", "item_encoder.image.", "sequence_encoder."):
        assert any(one.startswith(prefix) for one in names), prefix
