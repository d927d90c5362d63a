"""What holds for every model there is."""

import pytest
import torch

from mmrec.nn.scoring import score
from mmrec.recommender import VectorRecommender, inference
from tests.models import cases, worlds
from tests.models.cases import CASES, RECOMMENDERS, SUPERVISED, TRAINED
from tests.models.worlds import LENGTHS, scores

ORDERED = [(name, stage) for name, stage in RECOMMENDERS if CASES[name].ordered]
WITH_VECTORS = [(name, stage) for name, stage in RECOMMENDERS if CASES[name].vectors]
CAUSAL = [(name, stage) for name, stage in SUPERVISED if CASES[name].causal]


def build(name, stage, seed=0, **changes):
    return worlds.recommender(worlds.params(name, **changes), stage, seed=seed)


def objective_of(name, stage, **changes):
    return worlds.objective(worlds.params(name, **changes), build(name, stage, **changes), stage)


def test_every_model_is_tested():
    assert set(CASES) == set(cases.model_names())
    assert len(CASES) >= 4


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_every_item_but_padding_has_a_score(name, stage):
    found = build(name, stage).scores(worlds.history(worlds.sequences(LENGTHS)))
    assert found.shape == (len(LENGTHS), worlds.NUM_ITEMS)
    assert found[:, 1:].isfinite().all()
    assert not found.requires_grad


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_where_there_are_vectors_their_inner_products_are_the_scores(name, stage):
    model, items = build(name, stage), worlds.sequences(LENGTHS)
    assert isinstance(model, VectorRecommender) == ((name, stage) in WITH_VECTORS)
    if isinstance(model, VectorRecommender):
        table = model.item_table()
        assert (table[0] == 0).all()
        found = score(model.encode(worlds.history(items)), table)
        torch.testing.assert_close(found, scores(model, items))


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_scoring_has_no_dropout_and_leaves_the_mode_alone(name, stage):
    model = build(name, stage).train()
    items = worlds.sequences(LENGTHS)
    assert torch.equal(scores(model, items), scores(model, items))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_padding_and_the_rest_of_the_batch_change_no_score(name, stage):
    model = build(name, stage)
    items = worlds.sequences(LENGTHS)
    wider = torch.cat([items, torch.zeros(len(items), 1, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(scores(model, wider), scores(model, items))
    torch.testing.assert_close(scores(model, items[3:4, :2]), scores(model, items)[3:4])


@pytest.mark.parametrize(("name", "stage"), ORDERED)
def test_scores_depend_on_the_history_in_its_order(name, stage):
    model = build(name, stage)
    found = scores(model, torch.tensor([[1, 2, 4], [1, 2, 6], [6, 2, 4], [2, 1, 4]]))[:, 1:]
    for other in found[1:]:
        assert not torch.allclose(found[0], other, atol=1e-6)


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_an_empty_history_has_scores_that_depend_on_nobody(name, stage):
    model = build(name, stage)
    together = scores(model, torch.tensor([[1, 2], [0, 0], [3, 4]]))
    torch.testing.assert_close(together[1:2], scores(model, torch.tensor([[0]])))
    assert together[:, 1:].isfinite().all()


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_weights_move_to_another_instance(name, stage):
    model, other = build(name, stage), build(name, stage, seed=1)
    other.load_state_dict(model.state_dict())
    items = worlds.sequences(LENGTHS)
    assert torch.equal(scores(other, items), scores(model, items))


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_a_model_names_its_parameters_with_a_row_per_item(name, stage):
    model = build(name, stage)
    sizes = {name: value.shape[0] for name, value in model.state_dict().items() if value.dim()}
    found = {name for name, size in sizes.items() if size == worlds.NUM_ITEMS}
    assert set(model.item_parameters()) == found
    assert bool(found) == (stage not in CASES[name].by_content)


@pytest.mark.parametrize(("name", "stage"), TRAINED)
def test_training_moves_every_weight(name, stage):
    model = build(name, stage)
    objective = worlds.objective(worlds.params(name), model, stage)
    assert objective.recommender is model
    losses = objective(worlds.batch(name, worlds.sequences(LENGTHS), stage=stage))
    sum(losses.values()).backward()
    idle = CASES[name].idle.get(stage, ())
    for parameter_name, parameter in objective.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert (parameter.grad.abs().sum() > 0) == (parameter_name not in idle), parameter_name


@pytest.mark.parametrize(("name", "stage"), TRAINED)
def test_all_weights_have_one_name(name, stage):
    weights = objective_of(name, stage).state_dict()
    assert len({tensor.data_ptr() for tensor in weights.values()}) == len(weights)


@pytest.mark.parametrize(("name", "stage"), SUPERVISED)
def test_training_scores_are_the_scores_of_inference(name, stage):
    model = build(name, stage)
    items = worlds.sequences(LENGTHS)
    asked, columns = worlds.asked(name, items)
    with inference(model):
        queries, table = model.queries_and_table(asked, torch.arange(len(items)), columns)
        trained = score(queries, table)
    torch.testing.assert_close(trained, scores(model, items))


@pytest.mark.parametrize(("name", "stage"), CAUSAL)
def test_dense_training_equals_prefix_training(name, stage):
    # Of all losses the one that draws nothing.
    objective = objective_of(name, stage, **{stage: {"loss": {"name": "full"}}}).double()
    objective.eval()
    whole = worlds.sequences(LENGTHS)
    parameters = list(objective.parameters())
    results = []
    for batch in (worlds.dense_batch(whole), worlds.prefix_batch(whole)):
        loss = objective(batch)["next_item"]
        results.append((loss, *torch.autograd.grad(loss, parameters)))
    for dense, prefix in zip(*results, strict=True):
        torch.testing.assert_close(dense, prefix)


@pytest.mark.parametrize(("name", "stage"), TRAINED)
def test_training_in_bfloat16_keeps_the_losses_in_float32(name, stage):
    objective = objective_of(name, stage)
    with torch.autocast("cpu", torch.bfloat16):
        losses = objective(worlds.batch(name, worlds.sequences(LENGTHS), stage=stage))
    sum(losses.values()).backward()
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert all(parameter.grad.isfinite().all() for parameter in objective.parameters())
