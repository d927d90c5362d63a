"""Diversity by a run's features: means of an item's vectors, or of its token states."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.features.item_means import item_means
from mmrec.features.levels import vectors_as_tokens
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData
from mmrec.models.list_metrics import list_metrics

NUM_ITEMS = 8
ROWS = torch.tensor([0, 0, 2, 1, 0, 3, 1, 1, 2])  # of each item, padding first
OFFSETS = torch.cat([ROWS.new_zeros(1), ROWS.cumsum(0)])
TABLE = FeatureTable(
    torch.randn(int(ROWS.sum()), 5, generator=torch.Generator().manual_seed(0)).half(), OFFSETS
)
NOTHING = FeatureTable(torch.zeros(0, 0), torch.zeros(NUM_ITEMS + 2, dtype=torch.int64))


def slow_mean(item: int) -> np.ndarray | None:
    rows = TABLE.vectors[OFFSETS[item] : OFFSETS[item + 1]].float().numpy()
    return rows.mean(axis=0) if len(rows) else None


@pytest.mark.parametrize("table", [TABLE, vectors_as_tokens(TABLE)], ids=["vectors", "tokens"])
def test_an_item_has_the_mean_of_its_rows(table: FeatureTable) -> None:
    items = torch.tensor([5, 0, 2, 1, 8, 2])
    found = item_means(table, items).numpy()
    for item, vector in zip(items.tolist(), found, strict=True):
        expected = slow_mean(item)
        assert vector == pytest.approx(np.zeros(5) if expected is None else expected, rel=1e-4)


def test_diversity_is_by_the_features_that_the_run_has() -> None:
    tokens = vectors_as_tokens(TABLE)
    features = {
        "text": Feature(lambda: NOTHING, lambda: tokens, level=lambda: "tokens"),
        "image": Feature(lambda: NOTHING),
    }
    counts = torch.arange(NUM_ITEMS + 1)
    data = ModelData(pa.table({}), Sequences.from_lists([]), features, counts, counts < 3)
    lists = pa.table({"user_index": [0, 1], "items": [[5, 2, 1], [8, 6, 7]]}, schema=schemas.LISTS)
    ranks = pa.table({"history_length": [2, 9]})
    found = list_metrics(lists, ranks, data, cutoffs=[3], history_bins=[4])
    cosine = torch.nn.functional.cosine_similarity
    diversities = []
    for items in lists["items"].to_pylist():
        vectors = [torch.tensor(one) for one in map(slow_mean, items) if one is not None]
        pairs = [1 - float(cosine(a, b, dim=0)) for a, b in combinations(vectors, 2)]
        diversities.append(np.mean(pairs))
    assert found["all"]["diversity_text@3"] == pytest.approx(np.mean(diversities), rel=1e-4)
    assert "diversity_image@3" not in found["all"]
    first = found["history_length"]["1-4"]
    assert first["diversity_text@3"] == pytest.approx(diversities[0], rel=1e-4)
