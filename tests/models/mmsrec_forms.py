"""MMSRec over a small catalogue, and its straightforward form on the same parameters."""

from __future__ import annotations

import torch

from benchmarks.straightforward_mmsrec import Catalogue, Settings, StraightforwardMmsrec
from tests.models import worlds
from tests.models.worlds import NUM_ITEMS

MASK = NUM_ITEMS
LENGTH = 10
ARCHITECTURES = [
    {"missing": "exclude"},
    {"missing": "mask_token"},
    {"pad_to": "batch_max"},
    {"item_tower_position": "none"},
    {"item_head": "table"},
    {"missing": "mask_token", "pad_to": "batch_max", "item_head": "table"},
]
MODALITIES = ["both", "text", "image"]


def params(modality="both", **architecture):
    return worlds.params("mmsrec", architecture=architecture, finetune={"modality": modality})


def built(settings, stage="finetune", world=None, precision=torch.float64):
    """The model without dropout; its parameters are not what they start as."""
    model = worlds.recommender(settings, stage, world=world).to(precision).eval()
    generator = torch.Generator().manual_seed(1)
    for name, value in model.named_parameters():  # norms and biases hide mistakes as they start
        drawn = torch.randn(value.shape, generator=generator)
        if "norm.weight" in name:
            drawn = 1 + 0.3 * drawn
        elif value.dim() == 1:
            drawn = 0.3 * drawn
        value.data.copy_(drawn)
    return model


def straightforward(settings, model, stage="finetune", world=None):
    """The form one writes down first, on the parameters of the model."""
    features = (world or worlds.data()).features
    read = {name: features[name].vectors for name in settings.modalities(stage)}
    architecture = settings.architecture
    own = Settings(
        num_heads=architecture.num_heads,
        temperature=architecture.temperature,
        missing=architecture.missing,
        padded_to=LENGTH if architecture.pad_to == "N" else None,
        item_tower_position=architecture.item_tower_position == "first",
        item_head=architecture.item_head,
    )
    return StraightforwardMmsrec(dict(model.named_parameters()), Catalogue.of(read, NUM_ITEMS), own)


def loss_of(settings, model, world=None):
    """The fine-tuning loss of a batch, as a function of items and targets."""
    objective = worlds.objective(settings, model, world=world).eval()
    return lambda items, targets: objective(worlds.Batch(items, targets))["masked_item"]
