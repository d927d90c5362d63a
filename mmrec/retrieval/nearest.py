"""Item vectors in, the items nearest to some of them out: by cosine, exact to the last bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmrec.evaluation.vectors import Vectors
from mmrec.retrieval.index import index_of
from mmrec.retrieval.search import Histories, Matches, search

Indices = npt.NDArray[np.int64]


def nearest_items(
    units: Vectors, asked: Indices, top_k: int, *, candidates: npt.NDArray[np.bool_]
) -> Matches:
    """The `top_k` candidates with the largest cosine, best first, ties to the smaller item index.

    An item is no candidate of its own list. A list that ends early is filled with item 0.

    Args:
        units: [N, d] by item index, of length 1.
        asked: [R] item indices.
        top_k: length of a list.
        candidates: [N], by item index; not padding.
    """
    rows = np.flatnonzero(candidates)
    vectors = np.ascontiguousarray(units[rows])
    index = index_of(vectors, np.arange(1, len(rows) + 1))
    own = np.minimum(np.searchsorted(rows, asked), len(rows) - 1)
    is_candidate = rows[own] == asked
    offsets = np.concatenate([[0], np.cumsum(is_candidate)]).astype(np.int64)
    hidden = Histories(own[is_candidate] + 1, offsets)
    found = search(index, vectors, np.ascontiguousarray(units[asked]), hidden, top_k)
    items = np.where(found.items > 0, rows[found.items - 1], 0)
    return Matches(items, found.scores)
