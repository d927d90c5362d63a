"""t-SNE: vectors of any width in, places in the plane out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmrec.evaluation.vectors import Vectors

Places = npt.NDArray[np.float64]
"""[n, 2]."""

PERPLEXITY = 30
_FEWEST = 4
_SEED = 0


def project(vectors: Vectors) -> Places | None:
    """Where t-SNE puts vectors: what is near stays near; equal vectors, equal places.

    The perplexity is 30, or a third of what there is beside a point where that is less. It starts
    from the first two principal components, and keeps to one thread: sums of several may differ in
    their last bits, and with them the map.

    Args:
        vectors: [n, D].

    Returns:
        None where there is nothing to lay out: fewer than four vectors, or all equal.
    """
    if len(vectors) < _FEWEST or (vectors == vectors[0]).all():
        return None
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    points = vectors.astype(np.float64)
    points -= points.mean(axis=0)
    if points.shape[1] == 1:
        points = np.pad(points, ((0, 0), (0, 1)))  # [n, 2], of which there are two components
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    with threadpool_limits(1):
        layout = TSNE(perplexity=perplexity, init="pca", random_state=_SEED)
        places: Places = layout.fit_transform(points).astype(np.float64)
    return places
