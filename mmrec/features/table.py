"""Feature files in, vectors of every item in memory out: rows of item i lie between two offsets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from mmrec.features.item_rows import ItemRows, offsets_of
from mmrec.features.parts import (
    Parts,
    item_index_of,
    mapped,
    open_parts,
    read_places,
    read_values,
    refuse_repeats,
)

MAX_IN_MEMORY = 2 << 30
"""Bytes of a feature above which it is mapped from a file."""


@dataclass(frozen=True)
class FeatureTable(ItemRows):
    """Any number of vectors per item, none for padding and for an item without the modality.

    A feature of token states is a `TokenTable`.
    """

    vectors: Tensor
    """[R, d] float16 or float32."""
    offsets: Tensor
    """[N + 1] int64, N items including padding: rows of item i are offsets[i]:offsets[i + 1]."""

    @property
    def dim(self) -> int:
        """Length of a vector; 0 for the empty feature."""
        return self.vectors.shape[1]


def load_feature_table(directory: Path, items: pa.Table) -> FeatureTable:
    """Read a feature and give each of its rows to the item it names.

    Features above `MAX_IN_MEMORY` bytes lie in a temporary file (folder: `TMPDIR`) that is
    mapped, so that the system drops and reads pages as it needs.

    Args:
        directory: folder of the feature's parts.
        items: columns item_id, item_index.

    Raises:
        DataError: the feature has an item that `items` has not, a row twice, parts of two
            extractors or of token states, or a vector that is null or not finite.
    """
    parts = open_parts(directory, level="vectors")
    places, vectors = _read(parts)
    item_index = item_index_of(places["item_id"], items, directory)
    position = places["position"].to_numpy()
    # The last key is the first to sort by.
    order = np.lexsort((position, item_index))
    refuse_repeats(places, [one[order] for one in (position, item_index)], order, directory)
    if (np.diff(order) != 1).any():
        # With `clip` the rows go to `out` one by one; by default there would be a copy of all.
        vectors = np.take(vectors, order, 0, _room_for(vectors.shape, vectors.dtype), "clip")
    counts = np.bincount(item_index, minlength=items.num_rows + 1)
    return FeatureTable(torch.from_numpy(vectors), offsets_of(torch.from_numpy(counts)))


def _read(parts: Parts) -> tuple[pa.Table, npt.NDArray[Any]]:
    """Items and positions, and the vectors [R, d]; in memory once, and a batch more."""
    # Apart: what stays would keep the memory around it from being given back.
    places = read_places(parts, ["item_id", "position"])
    vectors = _room_for((places.num_rows, parts.dim), parts.dtype)
    end = 0
    for values in read_values(parts, places["item_id"]):
        vectors[end : end + len(values)] = values
        end += len(values)
    return places, vectors


def _room_for(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    small = math.prod(shape) * dtype.itemsize <= MAX_IN_MEMORY
    return np.empty(shape, dtype) if small else mapped(shape, dtype)
