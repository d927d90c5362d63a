"""Do items lie among others as popular as they are? Vectors and counts in, one number out.

Shapes: I items, D width of their vectors, B items of a chunk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

NUM_NEIGHBOURS = 10
_DISTANCES_AT_ONCE = 2**22
_STEPS = 1e10
"""To the largest squared length: distances that agree to such a step are equal."""

Floats = npt.NDArray[np.float64]


def popularity_correlation(
    vectors: npt.NDArray[np.float32], training_counts: npt.NDArray[np.int32]
) -> float | None:
    """Spearman correlation of an item's popularity with the mean of its ten nearest items'.

    Popularity is log(1 + training interactions), so that no single very popular neighbour decides
    the mean. Nearest is by Euclidean distance, which a t-SNE map of the same vectors goes by, too.
    By inner product, the longest vectors would be the nearest of every item; by cosine, lengths
    would not count, and models hold popularity in them.

    Args:
        vectors: [I, D].
        training_counts: [I].

    Returns:
        In [-1, 1]; None where there is nothing to correlate: the popularity of the items or that
        of their neighbours is the same everywhere, all vectors are equal, or everybody's ten
        nearest are all the others.
    """
    popularity = np.log1p(training_counts.astype(np.float64))
    if len(vectors) <= NUM_NEIGHBOURS + 1 or (vectors == vectors[0]).all():
        return None
    near = popularity_of_neighbours(vectors, popularity)
    if np.ptp(popularity) == 0 or np.ptp(near) == 0:
        return None
    return float(stats.spearmanr(popularity, near).statistic)


def popularity_of_neighbours(vectors: npt.NDArray[np.float32], popularity: Floats) -> Floats:
    """Mean popularity of the ten items nearest to each, [I].

    Items as far away as the tenth share the places that are left, so that the mean does not depend
    on the order of the items. There are more of them than it seems: items without any content have
    the same vector.

    Args:
        vectors: [I, D], of more than ten items.
        popularity: [I].
    """
    points = vectors.astype(np.float64)
    points -= points.mean(axis=0)
    squares = np.einsum("id,id->i", points, points)
    steps = _STEPS / max(float(squares.max()), np.finfo(np.float64).tiny)
    near = np.empty(len(points))
    size = max(1, _DISTANCES_AT_ONCE // len(points))
    for start in range(0, len(points), size):
        rows = slice(start, start + size)
        distances = points[rows] @ points.T  # [B, I]
        distances *= -2
        distances += squares[rows, None]
        distances += squares
        distances *= steps
        np.rint(distances, out=distances)
        own = np.arange(len(distances))
        distances[own, start + own] = np.inf
        near[rows] = _mean_over_nearest(distances, popularity)
    return near.round(12)


def _mean_over_nearest(distances: Floats, popularity: Floats) -> Floats:
    """[B] from [B, I]."""
    tenth = np.partition(distances, NUM_NEIGHBOURS - 1, axis=1)[:, NUM_NEIGHBOURS - 1, None]
    nearer, as_far = distances < tenth, distances == tenth
    left = NUM_NEIGHBOURS - nearer.sum(axis=1)
    shared = left * (as_far @ popularity) / as_far.sum(axis=1)
    return (nearer @ popularity + shared) / NUM_NEIGHBOURS  # type: ignore[no-any-return]
