"""Items by their features, each of which is one vector per item.

Shapes: N items incl. padding, n items asked for, p of them that have a feature, R feature rows,
d feature width, M modalities, D embedding_dim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mmrec.features.table import FeatureTable
from mmrec.models.items.encoder import ItemEncoder
from mmrec.nn.pooling import RaggedFeatures, Rows
from mmrec.nn.segments import mean_of_rows
from mmrec.params.training import Modality


class PooledItemEncoder(ItemEncoder):
    """A head for each feature, then a fusion of what they give.

    Its parts have the names of the modalities, and `fusion`.

    Args:
        tables: Features of the modalities there are, in the order of the fusion.
        head: Makes the head [n, d] -> [n, D] of a feature of width d.
        fusion: [n, M, D] -> [n, D].
    """

    def __init__(
        self,
        tables: Mapping[Modality, FeatureTable],
        head: Callable[[int], nn.Module],
        fusion: nn.Module,
    ) -> None:
        super().__init__()
        self.modalities = tuple(tables)
        for modality, table in tables.items():
            self.add_module(modality, PooledFeature(pooled(table), head(table.dim)))
        self.fusion = fusion

    def encode(self, items: Tensor) -> Tensor:
        """Vectors of the items [n]; [n, D]."""
        return self._fused([feature.encode(items) for feature in self._features()])

    def encode_all(self) -> Tensor:
        """Vectors of the whole catalogue; [N, D]."""
        return self._fused([feature.encode_all() for feature in self._features()])

    def _features(self) -> list[ItemEncoder]:
        found = [self.get_submodule(modality) for modality in self.modalities]
        return [feature for feature in found if isinstance(feature, ItemEncoder)]

    def _fused(self, vectors: list[Tensor]) -> Tensor:
        fused: Tensor = self.fusion(torch.stack(vectors, dim=1))
        return fused


class PooledFeature(ItemEncoder):
    """One feature through its head; an item without it has a learned vector in its place."""

    def __init__(self, features: RaggedFeatures, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def encode(self, items: Tensor) -> Tensor:
        """Vectors of the items [n]; [n, D]."""
        return self._headed(self.features.rows_of(items))

    def encode_all(self) -> Tensor:
        """Vectors of the whole catalogue; [N, D]."""
        return self._headed(self.features.all_rows())

    def _headed(self, rows: Rows) -> Tensor:
        missing = self.features.missing
        present = rows.segments.rows_between(0, len(rows.segments.owners), missing.dtype)  # [p, d]
        # Taken in even where nothing is missing, so that it always has a gradient.
        absent = missing.expand(rows.num_items - len(present), -1)  # [n - p, d]
        vectors: Tensor = self.head(torch.cat([present, absent]).index_select(0, rows.order))
        return vectors  # [n, D]


class SumOfFeatures(nn.Module):
    """The sum; [n, M, D] -> [n, D]."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Add up."""
        return vectors.sum(dim=1)


def pooled(table: FeatureTable) -> RaggedFeatures:
    """The mean of each item's rows, in float32; where no item has two, the rows as they are."""
    features = RaggedFeatures(table.vectors, table.offsets)
    if features.max_rows <= 1:
        return features
    means = mean_of_rows(features.all_rows().segments, torch.float32)
    has_rows = table.counts > 0
    return RaggedFeatures(means, torch.cat([has_rows.new_zeros(1), has_rows]).cumsum(0))
