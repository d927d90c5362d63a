"""Small models, and histories and features to ask their towers with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.models.data import ModelData
from mmrec.recommender import Recommender
from tests.models import worlds
from tests.models.cases import CASES

# Odd lengths, one of a single item, and in another row all that is read.
HISTORIES = worlds.sequences([4, 9, 1, 2, 6])
SHAPES = (HISTORIES, HISTORIES[:1, :4], HISTORIES[2:3, :1], HISTORIES[3:4])
ONE_TEXT = worlds.table([1] * 12, dim=6, seed=1)
ONE_IMAGE = worlds.table([1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1], dim=9, seed=2)
"""Features of at most one content an item."""
NEAR = {"rtol": 0, "atol": 1e-5}

MODELS = [name for name, case in CASES.items() if case.vectors]
WITHOUT = [name for name, case in CASES.items() if not case.vectors]


def model_of(name: str, world: ModelData | None = None, **changes: Any) -> Recommender:
    """With weights that are no longer as they are drawn, so that nothing is 0 or 1 by chance."""
    found: Recommender = worlds.recommender(worlds.params(name, **changes), world=world)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in found.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return found.eval()


def rows_of(table: FeatureTable) -> tuple[Tensor, Tensor]:
    """Rows of items 0, 1, …, padded with zeros, and how many are real."""
    counts = table.counts
    rows = torch.zeros(len(counts), int(counts.max()), table.dim)
    for item, count in enumerate(counts.tolist()):
        first = int(table.offsets[item])
        rows[item, :count] = table.vectors[first : first + count].float()
    return rows, counts
