"""The losses of next-item training, for every model that is trained on items, next or masked."""

import pytest
import torch
from pydantic import ValidationError

from mmrec.features.token_table import TokenTable
from mmrec.models.binary_loss import BinaryCrossEntropy
from mmrec.models.in_batch_sequences import InBatchSequencesSoftmax
from mmrec.models.mmsrec.items import ProjectedFeature
from mmrec.models.next_item import FullSoftmax, InBatchSoftmax, SampledSoftmax
from mmrec.nn.negatives import items_outside
from mmrec.nn.pooling import RaggedFeatures
from tests import reference
from tests.models import cases, worlds

MODELS = [name for name, _ in cases.SUPERVISED]
FULL = {"name": "full"}
LOSSES = {
    "full": FULL,
    "sampled": {"name": "sampled", "num_negatives": 3},
    "popularity": {"name": "sampled", "num_negatives": 3, "draw": "popularity"},
    "uncorrected": {"name": "sampled", "num_negatives": 3, "correction": False},
    "in_batch": {"name": "in_batch"},
    "in_batch uncorrected": {"name": "in_batch", "correction": False},
    "in_batch_sequences": {"name": "in_batch_sequences"},
    "in_batch_sequences uncorrected": {"name": "in_batch_sequences", "correction": False},
    "bce": {"name": "bce"},
    "trained": {"name": "full", "candidates": "trained"},
    "weighed": {"name": "full", "candidate_power": 0.5},
    "weighed trained": {"name": "full", "candidates": "trained", "candidate_power": -0.5},
}
OVER_ALL = ("full", "weighed", "trained", "weighed trained")
PARTIAL = [name for name in LOSSES if name not in OVER_ALL]
COUNTS = torch.arange(worlds.NUM_ITEMS)
WHOLE = torch.tensor([[1, 2, 4, 0], [2, 6, 0, 0], [4, 1, 2, 6]])


def build(name, loss, seed=0, **finetune):
    params = worlds.params(name, finetune={"loss": loss, **finetune})
    return worlds.objective(params, worlds.recommender(params, seed=seed))


def positions(name="sasrec"):
    batch = worlds.batch(name, WHOLE)
    return batch, *batch.targets.nonzero(as_tuple=True)


@pytest.mark.parametrize(
    ("name", "loss"),
    [*((name, "full") for name in MODELS), *(("sasrec", loss) for loss in PARTIAL)],
)
def test_training_lowers_the_loss(name, loss):
    objective = build(name, LOSSES[loss]).eval()  # no dropout, so that losses compare
    batch = worlds.batch(name, WHOLE)
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        value = sum(objective(batch).values())
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", MODELS)
def test_a_step_lowers_the_loss_by_what_its_gradient_says(name, loss):
    objective = build(name, LOSSES[loss]).double().eval()
    batch = worlds.batch(name, WHOLE)

    def value():
        torch.manual_seed(0)  # the same negatives
        return sum(objective(batch).values())

    before = value()
    before.backward()
    moved = [weights for weights in objective.parameters() if weights.grad is not None]
    steepness = sum(weights.grad.square().sum() for weights in moved)
    step = 1e-5 * before.detach() / steepness
    with torch.no_grad():
        for weights in moved:
            weights -= step * weights.grad
        lowered = before - value()
    torch.testing.assert_close(lowered, step * steepness, rtol=0.05, atol=0)


@pytest.mark.parametrize("name", MODELS)
def test_candidates_are_rows_of_the_table(name):
    model = build(name, FULL).eval().recommender
    batch, rows, columns = positions(name)
    candidates = torch.tensor([7, 2, 11, 2])
    queries, table = model.queries_and_table(batch.items, rows, columns)
    few = model.queries_and_candidates(batch.items, rows, columns, candidates)
    torch.testing.assert_close(few.queries, queries)
    torch.testing.assert_close(few.candidates, table[candidates])


def nine(_sequences, rows, *_):
    """Item 9 for each sample."""
    return torch.full_like(rows, 9)


def encoded_items(monkeypatch):
    """Fills up with the items whose features are read; reading all features is an error."""
    encoded = set()

    def record(reader, method):
        read = getattr(reader, method)

        def recorded(features, items):
            encoded.update(set(items.tolist()) - {0})  # what stands for padding and masks
            return read(features, items)

        monkeypatch.setattr(reader, method, recorded)

    record(RaggedFeatures, "rows_of")
    record(TokenTable, "gather")
    record(ProjectedFeature, "encode")
    monkeypatch.setattr(RaggedFeatures, "all_rows", None)
    return encoded


@pytest.mark.parametrize("loss", PARTIAL)
@pytest.mark.parametrize("name", MODELS)
def test_only_the_batch_and_its_candidates_are_touched(name, loss, monkeypatch):
    monkeypatch.setattr("mmrec.models.next_item.draw_items", lambda *_: torch.tensor([9, 9, 2]))
    monkeypatch.setattr("mmrec.models.binary_loss.items_outside", nine)
    objective = build(name, LOSSES[loss])
    model = objective.recommender
    monkeypatch.setattr(model, "queries_and_table", None)
    encoded = encoded_items(monkeypatch)
    sum(objective(worlds.batch(name, WHOLE)).values()).backward()
    touched = {1, 2, 4, 6} | (set() if loss.startswith("in_batch") else {9})
    assert encoded <= touched
    ids = model.get_parameter("item_ids") if model.item_parameters() else None
    moved = encoded if ids is None else set(ids.grad.abs().sum(dim=1).nonzero().flatten().tolist())
    assert moved == touched


@pytest.mark.parametrize("correction", [True, False])
@pytest.mark.parametrize("draw", ["uniform", "popularity"])
def test_sampled_softmax_is_the_formula_over_its_draws(draw, correction, monkeypatch):
    monkeypatch.setattr("mmrec.models.next_item.draw_items", lambda *_: torch.tensor([9, 9, 2, 5]))
    loss = {"name": "sampled", "num_negatives": 4, "draw": draw, "correction": correction}
    objective = build("sasrec", loss).double().eval()
    batch, rows, columns = positions()
    queries, table = objective.recommender.queries_and_table(batch.items, rows, columns)
    items, times = torch.tensor([2, 5, 9]), torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    shares = (COUNTS if draw == "popularity" else (COUNTS > 0)).double()
    weights = times / (4 * shares[items] / shares.sum()) if correction else times
    expected = reference.sampled_softmax(
        queries, table, batch.targets[rows, columns], items, weights
    )
    torch.testing.assert_close(objective(batch)["next_item"], expected)


@pytest.mark.parametrize("correction", [True, False])
def test_in_batch_softmax_is_the_formula_over_the_distinct_targets(correction):
    objective = build("sasrec", {"name": "in_batch", "correction": correction}).double().eval()
    batch, rows, columns = positions()
    queries, table = objective.recommender.queries_and_table(batch.items, rows, columns)
    targets = batch.targets[rows, columns]
    items = torch.unique(targets)
    chances = 1 - (1 - COUNTS[items].double() / COUNTS.sum()) ** len(targets)
    weights = 1 / chances if correction else torch.ones_like(chances)
    expected = reference.sampled_softmax(queries, table, targets, items, weights)
    torch.testing.assert_close(objective(batch)["next_item"], expected)


@pytest.mark.parametrize("batch", [worlds.dense_batch(WHOLE), worlds.prefix_batch(WHOLE)])
def test_binary_cross_entropy_is_the_formula_over_its_draws(batch, monkeypatch):
    drawn = []

    def draw(*arguments):
        drawn.append(items_outside(*arguments))
        return drawn[-1]

    monkeypatch.setattr("mmrec.models.binary_loss.items_outside", draw)
    objective = build("sasrec", LOSSES["bce"]).double().eval()
    rows, columns = batch.targets.nonzero(as_tuple=True)
    queries, table = objective.recommender.queries_and_table(batch.items, rows, columns)
    found = objective(batch)["next_item"]
    (negatives,) = drawn
    targets = batch.targets[rows, columns]
    torch.testing.assert_close(
        found, reference.binary_cross_entropy(queries, table, targets, negatives)
    )


@pytest.mark.parametrize("batch", [worlds.dense_batch(WHOLE), worlds.prefix_batch(WHOLE)])
def test_a_negative_is_never_padding_nor_in_the_row_of_its_position(batch, monkeypatch):
    rows, _ = batch.targets.nonzero(as_tuple=True)
    drawn = [[] for _ in rows]

    def draw(*arguments):
        negatives = items_outside(*arguments)
        for one, item in zip(drawn, negatives.tolist(), strict=True):
            one.append(item)
        return negatives

    monkeypatch.setattr("mmrec.models.binary_loss.items_outside", draw)
    objective = build("sasrec", LOSSES["bce"])
    for _ in range(200):
        objective(batch)
    for row, items in zip(rows.tolist(), drawn, strict=True):
        window = {0, *batch.items[row].tolist(), *batch.targets[row].tolist()}
        assert set(items) == set(range(worlds.NUM_ITEMS)) - window  # all others, sooner or later


@pytest.mark.parametrize("draw", ["uniform", "popularity"])
def test_many_draws_come_near_the_full_softmax(draw):
    full = build("sasrec", FULL).eval()
    sampled = build("sasrec", {"name": "sampled", "num_negatives": 100_000, "draw": draw}).eval()
    batch = worlds.dense_batch(WHOLE)
    torch.testing.assert_close(
        sampled(batch)["next_item"], full(batch)["next_item"], rtol=0.01, atol=0
    )


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("full", FullSoftmax),
        ("sampled", SampledSoftmax),
        ("in_batch", InBatchSoftmax),
        ("in_batch_sequences", InBatchSequencesSoftmax),
        ("bce", BinaryCrossEntropy),
    ],
)
def test_the_joint_objective_of_mp4sr_has_the_same_losses(loss, kind):
    objective = build("mp4sr", LOSSES[loss], joint={})
    losses = objective(worlds.dense_batch(WHOLE))
    assert isinstance(objective.next_item, kind)
    assert losses["next_item"].isfinite()


@pytest.mark.parametrize("loss", ["trained", "weighed", "weighed trained"])
@pytest.mark.parametrize("name", MODELS)
def test_weighed_softmax_is_the_formula_over_its_candidates(name, loss):
    counts = torch.where(COUNTS % 4 == 3, 0, COUNTS)  # of 3, 7 and 11, which are no targets
    settings = LOSSES[loss]
    params = worlds.params(name, finetune={"loss": settings})
    world = worlds.data(training_counts=counts)
    model = worlds.recommender(params, world=world)
    objective = worlds.objective(params, model, world=world).double().eval()
    batch, rows, columns = positions(name)
    (fast,) = objective(batch).values()
    queries, table = model.queries_and_table(batch.items, rows, columns)
    power = settings.get("candidate_power", 0)
    total = 0
    for query, target in zip(queries, batch.targets[rows, columns].tolist(), strict=True):
        shares = {
            item: max(1, int(counts[item])) ** power * torch.exp(query @ table[item])
            for item in range(1, worlds.NUM_ITEMS)
            if counts[item] or "trained" not in loss
        }
        total = total - torch.log(shares[target] / sum(shares.values()))
    slow = total / len(rows)
    torch.testing.assert_close(fast, slow)
    weights = [weight for weight in objective.parameters() if weight.requires_grad]
    for one, other in zip(
        *(torch.autograd.grad(value, weights, materialize_grads=True) for value in (fast, slow)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_items_that_do_not_train_are_pushed_down_only_where_they_are_candidates():
    counts = torch.where(COUNTS % 4 == 3, 0, COUNTS)
    for loss, moved in (("full", True), ("trained", False)):
        params = worlds.params("sasrec", finetune={"loss": LOSSES[loss]})
        world = worlds.data(training_counts=counts)
        model = worlds.recommender(params, world=world)
        sum(worlds.objective(params, model, world=world)(positions()[0]).values()).backward()
        gradients = model.get_parameter("item_ids").grad[[3, 7, 11]]
        assert gradients.any().item() == moved


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_adds_nothing_to_the_weights(loss):
    assert set(build("sasrec", LOSSES[loss]).state_dict()) == set(
        build("sasrec", FULL).state_dict()
    )


def test_the_default_is_the_published_loss_and_other_keys_are_refused():
    for name in MODELS:
        assert worlds.params(name).finetune.loss.name == cases.CASES[name].loss
        with pytest.raises(ValidationError, match="num_negatives"):
            worlds.params(name, finetune={"loss": {"name": "in_batch", "num_negatives": 3}})
