"""Data of a run over a few items, one feature row each."""

from __future__ import annotations

import pyarrow as pa
import torch

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData


def run_data(num_items: int, lists: list[list[int]]) -> ModelData:
    """The sequences of `lists` over items 1 to `num_items`."""
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(num_items, 4, generator=generator).half()
    features = FeatureTable(vectors, torch.tensor([0, *range(num_items + 1)]))
    rows = range(1, num_items + 1)
    columns = {
        "item_id": [str(row) for row in rows],
        "item_index": list(rows),
        "title": ["" for _ in rows],
        "num_sentences": [1 for _ in rows],
        "num_images": [1 for _ in rows],
        "training_count": [1 for _ in rows],
        "is_cold": [False for _ in rows],
    }
    return ModelData(
        items=pa.table(columns, schema=schemas.CLEAN_ITEMS),
        sequences=Sequences.from_lists(lists),
        features={"text": Feature(lambda: features), "image": Feature(lambda: features)},
        training_counts=torch.ones(num_items + 1, dtype=torch.int64),
        is_cold=torch.zeros(num_items + 1, dtype=torch.bool),
    )
