"""Items with an ID beside their content: some go without it, and it is aligned with the content."""

import math

import pytest
import torch
from pydantic import ValidationError

from mmrec.models.items.own_ids import IdDropout, with_ids
from tests import reference_mmsrec
from tests.models import worlds

WITH_IDS = ["sasrecm", "mp4sr"]
COUNTS = torch.tensor([0, 3, 0, 1, 7, 2, 9, 0, 1, 1, 4, 5, 30])
WHOLE = torch.tensor([[1, 2, 4, 6], [2, 6, 5, 0], [4, 8, 11, 12]])


def build(name, **finetune):
    params = worlds.params(name, finetune=finetune)
    world = worlds.data(training_counts=COUNTS)
    model = worlds.recommender(params, world=world)
    return worlds.objective(params, model, world=world)


def loss_of(name, **alignment):
    """The alignment of the still objective, on its own."""
    objective = build(name, alignment=alignment).double().eval()
    return objective, objective(worlds.dense_batch(WHOLE))["alignment"]


def views_written_out(model, items):
    """ID and content of each item; of mp4sr the sum over both modalities."""
    if hasattr(model, "scored"):
        content = sum(model.item_encoder.encode(name, items) for name in model.scored)
    else:
        content = model.item_encoder.encode(items)
    return model.item_ids[items], content


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.9])
def test_the_share_goes_without_in_training_and_nobody_outside(chance):
    torch.manual_seed(0)
    dropout = IdDropout(torch.ones(200_000), chance=chance, min_count=1, ranked_weight=1.0)
    assert dropout(None).double().mean().item() == pytest.approx(1 - chance, abs=0.005)
    assert dropout.eval()(None).all()


def test_what_has_too_few_training_interactions_always_goes_without():
    dropout = IdDropout(COUNTS, chance=0.5, min_count=2, ranked_weight=1.0)
    without = (COUNTS < 2).unsqueeze(1)
    drawn = torch.stack([dropout(None) for _ in range(64)])
    assert not drawn[:, without].any()
    assert drawn.any(dim=0)[~without].all()
    items = torch.tensor([4, 3, 12, 7])
    assert dropout.eval()(items).squeeze(1).tolist() == [True, False, True, False]


def test_an_item_without_its_id_is_its_content_and_one_with_it_is_not_scaled():
    vectors, ids = torch.randn(3, 2), torch.randn(9, 2, requires_grad=True)
    items, factors = torch.tensor([5, 2, 5]), torch.tensor([[True], [False], [False]])
    found = with_ids(vectors, ids, items, factors)
    torch.testing.assert_close(found, torch.stack([vectors[0] + ids[5], vectors[1], vectors[2]]))
    found.sum().backward()
    assert ids.grad.nonzero()[:, 0].unique().tolist() == [5]


@pytest.mark.parametrize("name", WITH_IDS)
def test_the_id_of_an_item_that_nobody_has_trained_changes_no_score(name):
    kept, dropped = (build(name, id_dropout=one).recommender for one in (None, {"min_count": 1}))
    items = worlds.sequences(worlds.LENGTHS)
    plain = [worlds.scores(model, items) for model in (kept, dropped)]
    unseen = (COUNTS == 0).nonzero().squeeze(1)[1:]
    for model in (kept, dropped):
        model.item_ids.data[unseen] += 5.0
    changed = [worlds.scores(model, items) for model in (kept, dropped)]
    assert not torch.allclose(changed[0][:, unseen], plain[0][:, unseen])
    torch.testing.assert_close(changed[1], plain[1])


@pytest.mark.parametrize("name", WITH_IDS)
def test_in_every_form_of_a_step_an_item_goes_without_wherever_it_is(name):
    """By `min_count` alone, so that nothing is drawn: all forms are the scores of inference."""
    dropout = {"chance": 0.0, "min_count": 3}
    model = build(name, id_dropout=dropout).double().eval().recommender
    items = worlds.sequences(worlds.LENGTHS)
    rows, columns = torch.arange(len(items)), (items != 0).sum(dim=1) - 1
    queries, table = model.queries_and_table(items, rows, columns)
    some = torch.tensor([1, 2, 5, 12])
    same, candidates = model.queries_and_candidates(items, rows, columns, some)
    torch.testing.assert_close(same, queries)
    torch.testing.assert_close(candidates, table[some])
    torch.testing.assert_close((queries @ table.T)[:, 1:], worlds.scores(model, items)[:, 1:])


@pytest.mark.parametrize("name", WITH_IDS)
@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_ids_count_for_less_where_items_are_ranked_and_whole_in_training(name, weight):
    dropout = {"chance": 0.0, "min_count": 0}
    plain = build(name, id_dropout=dropout)
    less = build(name, id_dropout=dropout | {"ranked_weight": weight})
    items, batch = worlds.sequences(worlds.LENGTHS), worlds.dense_batch(WHOLE)
    losses = []
    for objective in (plain, less):
        torch.manual_seed(0)
        losses.append(objective.train()(batch)["next_item"])
    assert torch.equal(*losses)
    plain.recommender.item_ids.data *= weight
    torch.testing.assert_close(*(worlds.scores(one.recommender, items) for one in (plain, less)))


def test_an_item_goes_without_in_both_streams_or_in_none():
    model = build("mp4sr", id_dropout={"chance": 0.5}).recommender.train()
    items, streams = torch.arange(1, 13), [torch.zeros(12, 8), torch.zeros(12, 8)]
    text, image = model._with_ids(streams, items)
    assert torch.equal(text, image)
    assert 0 < (text == 0).all(dim=1).sum() < 12


@pytest.mark.parametrize("name", WITH_IDS)
@pytest.mark.parametrize("loss", ["full", "sampled", "in_batch"])
def test_ids_learn_nothing_in_a_step_that_all_of_them_are_left_out_of(name, loss):
    dropout = {"chance": 0.0, "min_count": 100}
    objective = build(name, id_dropout=dropout, loss={"name": loss})
    objective(worlds.dense_batch(WHOLE))["next_item"].backward()
    assert not objective.recommender.item_ids.grad.any()
    content = objective.recommender.item_encoder.parameters()
    assert any(parameter.grad.any() for parameter in content)


@pytest.mark.parametrize("name", WITH_IDS)
def test_alignment_is_the_contrast_written_out_over_distinct_targets(name):
    objective, found = loss_of(name, weight=0.5, temperature=0.3)
    targets = WHOLE[:, 1:].unique()
    ids, content = views_written_out(objective.recommender, targets[targets != 0])
    expected = reference_mmsrec.contrast(ids.detach(), content.detach(), 0.3)
    assert found.item() == pytest.approx(0.5 * expected, rel=1e-6)


@pytest.mark.parametrize("name", WITH_IDS)
def test_alignment_moves_ids_and_content_towards_each_other(name):
    objective, before = loss_of(name)
    objective.zero_grad()
    before.backward()
    model = objective.recommender
    targets = WHOLE[:, 1:].unique()[1:]
    assert model.item_ids.grad.any(dim=1).nonzero().squeeze(1).tolist() == targets.tolist()
    assert any(one.grad is not None and one.grad.any() for one in model.item_encoder.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad / parameter.grad.norm().clamp(min=1e-9)
    assert objective(worlds.dense_batch(WHOLE))["alignment"] < before


def test_one_target_alone_has_nothing_to_be_told_from():
    objective = build("sasrecm", alignment={}).eval()
    loss = objective(worlds.dense_batch(torch.tensor([[1, 2]])))["alignment"]
    assert math.isclose(loss.item(), 0.0, abs_tol=1e-6)


@pytest.mark.parametrize("setting", ["id_dropout", "alignment"])
def test_without_ids_there_is_nothing_to_leave_out_or_to_align(setting):
    with pytest.raises(ValidationError, match=f"{setting} is about the IDs of items"):
        worlds.params("mp4sr", finetune={"use_id": False, setting: {}})


def test_alignment_does_not_go_with_joint_training():
    with pytest.raises(ValidationError, match="alignment and joint are both set"):
        worlds.params("mp4sr", finetune={"alignment": {}, "joint": {}})
