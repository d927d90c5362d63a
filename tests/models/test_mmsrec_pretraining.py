"""Item contrast against loops over passes of the straightforward form."""

import numpy as np
import pytest
import torch

from benchmarks.straightforward_mmsrec import Catalogue, StraightforwardMmsrec
from mmrec.data.item_batches import ItemBatch
from mmrec.io import DataError
from mmrec.models.mmsrec import pretraining
from mmrec.nn.losses import item_contrast
from tests import reference_mmsrec
from tests.models import worlds
from tests.models.mmsrec_forms import built, straightforward
from tests.models.worlds import INCOMPLETE, NUM_ITEMS

NAMES = ("image", "text", "text_to_image", "both")
"""In the order of `reference_mmsrec.TERMS`."""
WEIGHTS = {"image": 0.1, "text": 0.2, "text_to_image": 0.3, "both": 0.4}
READS = {"v": {"image"}, "t": {"text"}, "vt": {"text", "image"}}
ITEMS = torch.tensor([1, 2, 4, 6, 8, 10])
ARCHITECTURES = [
    {"missing": "exclude"},
    {"missing": "mask_token"},
    {"item_tower_position": "none"},
    {"pad_to": "batch_max"},
]


def pretraining_of(contrast=WEIGHTS, world=None, **architecture):
    settings = worlds.params("mmsrec", architecture=architecture, pretrain={"contrast": contrast})
    model = built(settings, "pretrain", world)
    return settings, worlds.objective(settings, model, "pretrain", world)


def passes(settings, model, items):
    """States of items by what of them is read; without dropout, two passes are one."""
    whole = straightforward(settings, model, "pretrain")
    found = {}
    for name, read in READS.items():
        present = {one: of & (one in read) for one, of in whole.catalogue.present.items()}
        known = Catalogue(whole.catalogue.features, present)
        form = StraightforwardMmsrec(whole.weights, known, whole.settings)
        states = form.item_vectors(*form.slots())[items - 1].detach().numpy()
        found |= {name: states, f"{name}2": states}
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("items", [ITEMS, torch.tensor([2, 4, 2, 2]), torch.tensor([8])])
def test_losses_equal_loops_over_passes(architecture, items):
    settings, objective = pretraining_of(**architecture)
    own = passes(settings, objective.recommender, items)
    losses = objective.eval()(ItemBatch(items))
    assert losses.keys() == set(NAMES)
    temperature = settings.architecture.temperature
    for name, (first, second) in zip(NAMES, reference_mmsrec.TERMS, strict=True):
        expected = WEIGHTS[name] * reference_mmsrec.contrast(own[first], own[second], temperature)
        assert losses[name].item() == pytest.approx(expected, rel=1e-6, abs=1e-9), name
    whole = reference_mmsrec.item_contrast(
        own, weights=[WEIGHTS[name] for name in NAMES], temperature=temperature
    )
    assert sum(losses.values()).item() == pytest.approx(whole, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("num_items", [1, 2, 5])
def test_values_and_gradients_of_a_pair_equal_loops_and_differences(num_items):
    generator = torch.Generator().manual_seed(num_items)
    views = [torch.randn(num_items, 3, generator=generator).double() for _ in range(2)]
    if num_items > 2:  # an item twice
        for view in views:
            view[1] = view[0]
    views = [view.requires_grad_() for view in views]
    loss = item_contrast(*views, temperature=0.2)
    first, second = (view.detach().numpy() for view in views)
    assert loss.item() == pytest.approx(reference_mmsrec.contrast(first, second, 0.2), abs=1e-12)
    loss.backward()
    for view, function in (
        (views[0], lambda values: reference_mmsrec.contrast(values, second, 0.2)),
        (views[1], lambda values: reference_mmsrec.contrast(first, values, 0.2)),
    ):
        expected = reference_mmsrec.numerical_gradient(function, view.detach().numpy())
        np.testing.assert_allclose(view.grad.numpy(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_the_slopes_of_the_loss(architecture):
    _, objective = pretraining_of(**architecture)
    objective.eval()

    def loss():
        return sum(objective(ItemBatch(ITEMS)).values())

    parameters = list(objective.parameters())
    # Those of the mask, of absent items and of other positions than the first have none.
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        directions = [torch.randn(p.shape, generator=generator).double() for p in parameters]
        slope = reference_mmsrec.slope(loss, parameters, directions)
        pairs = zip(gradients, directions, strict=True)
        found = sum((g * d).sum().item() for g, d in pairs if g is not None)
        assert found == pytest.approx(slope, rel=1e-5)


def test_six_passes_have_six_draws_of_dropout(monkeypatch):
    seen = []

    def recorded(first, second, *, temperature):
        seen.append((first.detach(), second.detach()))
        return item_contrast(first, second, temperature=temperature)

    monkeypatch.setattr(pretraining, "item_contrast", recorded)
    _, objective = pretraining_of()
    for training, num_draws in ((True, 6), (False, 3)):
        seen.clear()
        objective.train(training)(ItemBatch(ITEMS))
        assert len(seen) == 4
        flat = torch.stack([state.flatten() for pair in seen for state in pair])
        assert len(flat.unique(dim=0)) == num_draws


def test_one_item_has_nothing_to_be_told_from():
    _, objective = pretraining_of()
    total = sum(objective(ItemBatch(torch.tensor([4]))).values())
    total.backward()
    assert total.item() == pytest.approx(0, abs=1e-9)
    for name, parameter in objective.recommender.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() < 1e-9, name


@pytest.mark.parametrize("left_out", NAMES)
def test_a_pair_of_weight_zero_is_left_out(left_out):
    _, objective = pretraining_of(contrast=WEIGHTS | {left_out: 0})
    assert objective(ItemBatch(ITEMS)).keys() == set(NAMES) - {left_out}


def training(**pretrain):
    settings = worlds.params("mmsrec", pretrain=pretrain)
    model = built(settings, "pretrain")
    return settings, model, worlds.training(settings, model, "pretrain")


def trained_items(found):
    return sorted(item for batch in found.batches.epoch(1) for item in batch.items.tolist())


def test_items_that_lack_a_modality_take_no_part_and_are_counted():
    _, _, found = training(held_out_share=0.3)
    trained = trained_items(found)
    complete = set(range(1, NUM_ITEMS)) - set(INCOMPLETE)
    assert set(trained) < complete
    assert found.counts == {
        "items_trained_on": len(trained),
        "items_held_out": len(complete) - len(trained),
        "items_left_out": len(INCOMPLETE),
    }


def test_an_epoch_is_judged_by_the_ranks_of_held_out_pictures_by_their_texts():
    settings, model, found = training(held_out_share=0.6)
    held_out = set(range(1, NUM_ITEMS)) - set(INCOMPLETE) - set(trained_items(found))
    assert len(held_out) == 5
    items = torch.tensor(sorted(held_out))
    own = {
        name: values / np.linalg.norm(values, axis=1, keepdims=True)
        for name, values in passes(settings, model, items).items()
    }
    scores = own["t"] @ own["v"].T
    ranks = [1 + sum(row > row[i]) for i, row in enumerate(scores)]
    metrics = found.validation.metrics()
    for cutoff in (1, 5, 10):
        expected = np.mean([rank <= cutoff for rank in ranks])
        assert metrics[f"recall@{cutoff}"] == pytest.approx(expected)
    expected = np.mean([1 / rank for rank in ranks])
    assert metrics["mrr"] == pytest.approx(expected)


def test_too_few_items_with_both_are_refused():
    world = worlds.data(image=worlds.table([1, 1, 1] + [0] * 9, dim=9))
    settings = worlds.params("mmsrec", pretrain={})
    with pytest.raises(DataError, match="at least 2 are needed"):
        worlds.training(settings, built(settings, "pretrain", world), "pretrain", world)
