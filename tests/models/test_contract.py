"""What holds for every model there is."""

import pytest
import torch

from mmrec.models.build import build_objective, build_recommender
from mmrec.models.recommender import inference
from mmrec.nn.scoring import score
from tests.models import worlds

SUPERVISED = [("mp4sr", "finetune"), ("sasrec", "finetune"), ("gru4rec", "finetune")]
STAGES = [("mp4sr", "pretrain"), *SUPERVISED]
RECOMMENDERS = [*STAGES, ("popularity", "finetune")]
LENGTHS = [4, 9, 1, 2, 6]


def build(name, stage, seed=0, **changes):
    torch.manual_seed(seed)
    return build_recommender(
        worlds.params(name, **changes),
        num_items=worlds.NUM_ITEMS,
        text=worlds.text_table(),
        image=worlds.image_table(),
        training_counts=torch.arange(worlds.NUM_ITEMS),
        stage=stage,
    )


def test_every_model_is_tested():
    assert {name for name, _ in RECOMMENDERS} == set(worlds.model_names())
    assert len(worlds.model_names()) >= 4


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_table_and_queries_score_every_item_but_padding(name, stage):
    model = build(name, stage)
    table, queries = model.item_table(), model.encode(worlds.sequences(LENGTHS))
    scores = score(queries, table)
    assert scores.shape == (len(LENGTHS), worlds.NUM_ITEMS)
    assert (table[0] == 0).all()
    assert scores[:, 1:].isfinite().all()
    assert not scores.requires_grad


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_scoring_has_no_dropout_and_leaves_the_mode_alone(name, stage):
    model = build(name, stage).train()
    items = worlds.sequences(LENGTHS)
    assert torch.equal(model.encode(items), model.encode(items))
    assert torch.equal(model.item_table(), model.item_table())
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_padding_and_the_rest_of_the_batch_change_no_query(name, stage):
    model = build(name, stage)
    items = worlds.sequences(LENGTHS)
    wider = torch.cat([items, torch.zeros(len(items), 1, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(model.encode(wider), model.encode(items))
    torch.testing.assert_close(model.encode(items[3:4, :2]), model.encode(items)[3:4])


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_the_query_depends_on_the_history_in_its_order(name, stage):
    model = build(name, stage)
    query = model.encode(torch.tensor([[1, 2, 4]]))
    assert not torch.allclose(query, model.encode(torch.tensor([[1, 2, 6]])), atol=1e-5)
    assert not torch.allclose(query, model.encode(torch.tensor([[6, 2, 4]])), atol=1e-5)
    assert not torch.allclose(query, model.encode(torch.tensor([[2, 1, 4]])), atol=1e-5)


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_an_empty_history_has_a_query_that_depends_on_nobody(name, stage):
    model = build(name, stage)
    together = model.encode(torch.tensor([[1, 2], [0, 0], [3, 4]]))
    torch.testing.assert_close(together[1:2], model.encode(torch.tensor([[0]])))
    assert together.isfinite().all()


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_weights_move_to_another_instance(name, stage):
    model, other = build(name, stage), build(name, stage, seed=1)
    other.load_state_dict(model.state_dict())
    items = worlds.sequences(LENGTHS)
    assert torch.equal(other.encode(items), model.encode(items))
    assert torch.equal(other.item_table(), model.item_table())


@pytest.mark.parametrize(("name", "stage"), RECOMMENDERS)
def test_a_model_names_its_parameters_with_a_row_per_item(name, stage):
    model = build(name, stage)
    sizes = {name: value.shape[0] for name, value in model.state_dict().items() if value.dim()}
    found = {name for name, size in sizes.items() if size == worlds.NUM_ITEMS}
    assert set(model.item_parameters()) == found
    assert bool(found) == ((name, stage) not in [("mp4sr", "pretrain"), ("popularity", "finetune")])


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_training_moves_every_weight(name, stage):
    model = build(name, stage)
    objective = build_objective(
        worlds.params(name), model, training_counts=torch.zeros(worlds.NUM_ITEMS), stage=stage
    )
    assert objective.recommender is model
    losses = objective(worlds.dense_batch(worlds.sequences(LENGTHS)))
    sum(losses.values()).backward()
    for parameter_name, parameter in objective.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_all_weights_have_one_name(name, stage):
    objective = build_objective(
        worlds.params(name),
        build(name, stage),
        training_counts=torch.zeros(worlds.NUM_ITEMS),
        stage=stage,
    )
    weights = objective.state_dict()
    assert len({tensor.data_ptr() for tensor in weights.values()}) == len(weights)


@pytest.mark.parametrize(("name", "stage"), SUPERVISED)
def test_training_scores_are_the_scores_of_inference(name, stage):
    model = build(name, stage)
    items = worlds.sequences(LENGTHS)
    rows, columns = torch.arange(len(items)), torch.tensor(LENGTHS) - 1
    with inference(model):
        queries, table = model.queries_and_table(items, rows, columns)
        trained = score(queries, table)
    torch.testing.assert_close(trained, score(model.encode(items), model.item_table()))


@pytest.mark.parametrize(("name", "stage"), SUPERVISED)
def test_dense_training_equals_prefix_training(name, stage):
    objective = build_objective(
        worlds.params(name),
        build(name, stage),
        training_counts=torch.zeros(worlds.NUM_ITEMS),
        stage=stage,
    ).double()
    objective.eval()
    whole = worlds.sequences(LENGTHS)
    parameters = list(objective.parameters())
    results = []
    for batch in (worlds.dense_batch(whole), worlds.prefix_batch(whole)):
        loss = objective(batch)["next_item"]
        results.append((loss, *torch.autograd.grad(loss, parameters)))
    for dense, prefix in zip(*results, strict=True):
        torch.testing.assert_close(dense, prefix)


@pytest.mark.parametrize(("name", "stage"), STAGES)
def test_training_in_bfloat16_keeps_the_losses_in_float32(name, stage):
    objective = build_objective(
        worlds.params(name),
        build(name, stage),
        training_counts=torch.zeros(worlds.NUM_ITEMS),
        stage=stage,
    )
    with torch.autocast("cpu", torch.bfloat16):
        losses = objective(worlds.dense_batch(worlds.sequences(LENGTHS)))
    sum(losses.values()).backward()
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert all(parameter.grad.isfinite().all() for parameter in objective.parameters())
