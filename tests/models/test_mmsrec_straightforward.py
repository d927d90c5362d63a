"""MMSRec's losses, gradients and scores against the straightforward form and against loops."""

import numpy as np
import pytest
import torch

from benchmarks.straightforward_mmsrec import Catalogue, Settings, StraightforwardMmsrec
from tests import reference_mmsrec
from tests.models import worlds
from tests.models.worlds import NUM_ITEMS

MASK = NUM_ITEMS
LENGTH = 10
ITEMS = torch.tensor(  # 7 has neither modality, 3 no text, 5 no picture
    [
        [4, MASK, 7, 3, MASK],
        [MASK, 0, 0, 0, 0],
        [5, 5, 12, MASK, 0],
        [2, 9, 7, 1, MASK],
    ]
)
TARGETS = torch.tensor([[4, 2, 0, 0, 7], [4, 0, 0, 0, 0], [0, 5, 0, 12, 0], [0, 0, 0, 0, 4]])
ARCHITECTURES = [
    {"missing": "exclude"},
    {"missing": "mask_token"},
    {"pad_to": "batch_max"},
    {"item_tower_position": "none"},
    {"item_head": "table"},
    {"missing": "mask_token", "pad_to": "batch_max", "item_head": "table"},
]
MODALITIES = ["both", "text", "image"]


def both_forms(architecture, modality="both", precision=torch.float64, world=None):
    """Ours without dropout, and the straightforward form on the same parameters."""
    params = worlds.params("mmsrec", architecture=architecture, finetune={"modality": modality})
    world = world or worlds.data()
    model = worlds.recommender(params, world=world).to(precision)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # biases and norms start at values that hide mistakes
        parameter.data.normal_(std=0.5, generator=generator)
    read = {name: world.features[name].vectors for name in params.modalities("finetune")}
    settings = Settings(
        num_heads=params.architecture.num_heads,
        temperature=params.architecture.temperature,
        missing=params.architecture.missing,
        padded_to=LENGTH if params.architecture.pad_to == "max_sequence_length" else None,
        item_tower_position=params.architecture.item_tower_position != "none",
        item_head=params.architecture.item_head,
    )
    form = StraightforwardMmsrec(
        dict(model.named_parameters()), Catalogue.of(read, NUM_ITEMS), settings
    )
    return worlds.objective(params, model, world=world).eval(), form


def fast_loss(objective, items=ITEMS, targets=TARGETS):
    return objective(worlds.Batch(items, targets))["masked_item"]


def assert_equal(objective, form, items=ITEMS, targets=TARGETS):
    fast, slow = fast_loss(objective, items, targets), form.loss(items, targets)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-6)
    named = dict(objective.recommender.named_parameters())
    found = torch.autograd.grad(fast, list(named.values()), allow_unused=True)
    expected = torch.autograd.grad(slow, list(named.values()), allow_unused=True)
    for name, own, other in zip(named, found, expected, strict=True):
        zeros = torch.zeros_like(named[name])
        own, other = (zeros if gradient is None else gradient for gradient in (own, other))
        largest = other.abs().max().item()
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5 * max(largest, 1e-2), msg=name)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_equal_the_straightforward_form(architecture, modality, precision):
    assert_equal(*both_forms(architecture, modality, precision))
