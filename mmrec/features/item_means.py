"""One vector for each of some items: the mean of what a feature has of it.

n items asked for, d width of a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmrec.features.table import FeatureTable
from mmrec.features.token_table import TokenTable

_ITEMS_AT_ONCE = 256


def item_means(table: FeatureTable | TokenTable, items: Tensor) -> Tensor:
    """Mean of an item's vectors, or of all its token states, float32 [n, d] on the CPU.

    Zeros for an item that has none, as padding has.

    Args:
        table: the feature.
        items: int64 [n], item indices, on the CPU.
    """
    means = torch.zeros(len(items), table.dim)
    has_any = (table.counts[items] > 0).nonzero().squeeze(1)
    for places in torch.split(has_any, _ITEMS_AT_ONCE):
        if isinstance(table, TokenTable):
            means[places] = table.gather(items[places]).means()
        else:
            means[places] = _means_of_rows(table, items[places])
    return means


def _means_of_rows(table: FeatureTable, items: Tensor) -> Tensor:
    rows, owners = table.rows_of(items)
    sums = torch.zeros(len(items), table.dim)
    sums.index_add_(0, owners, table.vectors[rows].float())
    return sums / table.counts[items].unsqueeze(1)
