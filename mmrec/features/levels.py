"""A feature of one level read as the other: vectors as tokens, tokens as their mean."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch

from mmrec.features.item_means import item_means
from mmrec.features.item_rows import offsets_of
from mmrec.features.table import FeatureTable
from mmrec.features.token_table import TokenTable


def vectors_as_tokens(table: FeatureTable) -> TokenTable:
    """Each vector as a content of one token."""
    digest = blake2b(digest_size=16)
    for tensor in (table.vectors, table.offsets):
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    every = torch.arange(len(table.vectors) + 1)
    return TokenTable(table.vectors, every, every[:-1], table.offsets, digest.hexdigest())


def means_of_tokens(table: TokenTable) -> FeatureTable:
    """The mean state of each item that has any, as its only vector; float32."""
    has_tokens = table.counts > 0
    items = has_tokens.nonzero().squeeze(1)
    return FeatureTable(item_means(table, items), offsets_of(has_tokens.long()))
