"""Do items lie among others as popular as they are? Vectors and counts in, one number out.

Shapes: I items, D width of their vectors, B items of a chunk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

NUM_NEIGHBOURS = 10
_DISTANCES_AT_ONCE = 2**22
_ITEMS_OF_GROUP = 64
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
        # What is missing, the square of the row's own item, is the same for all of a row.
        distances = points[start : start + size] @ points.T  # [B, I]
        distances *= -2
        distances += squares
        own = start + np.arange(len(distances))
        distances[own - start, own] = np.inf
        farthest = _no_nearer_than_the_tenth(distances) + 1 / steps
        for row, item in enumerate(own):
            found = np.flatnonzero(distances[row] <= farthest[row])
            stepped = np.rint((distances[row, found] + squares[item]) * steps)
            near[item] = _mean_over_nearest(stepped, popularity[found])
    return near.round(12)


def _no_nearer_than_the_tenth(distances: Floats) -> Floats:
    """[B] from [B, I]: the tenth of the smallest distances of groups of items, each with one.

    Few items are as near, and so only these are looked at one by one: many times as fast as to
    look for the tenth among all.
    """
    num_items = distances.shape[1]
    of_group = max(1, min(_ITEMS_OF_GROUP, num_items // NUM_NEIGHBOURS))
    groups = num_items // of_group
    nearest = distances[:, : groups * of_group].reshape(-1, of_group, groups).min(axis=1)
    return np.partition(nearest, NUM_NEIGHBOURS - 1, axis=1)[:, NUM_NEIGHBOURS - 1]


def _mean_over_nearest(distances: Floats, popularity: Floats) -> float:
    """Of one item; the ten nearest, and all that are as far as the tenth, are among these."""
    tenth = np.partition(distances, NUM_NEIGHBOURS - 1)[NUM_NEIGHBOURS - 1]
    nearer = popularity[distances < tenth]
    shared = (NUM_NEIGHBOURS - len(nearer)) * popularity[distances == tenth].mean()
    return float((nearer.sum() + shared) / NUM_NEIGHBOURS)
