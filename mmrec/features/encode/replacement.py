"""Values of a feature in, what stands in their place out: a constant or noise, for experiments.

Neither comes from a content, so neither goes to the cache. Rows have keys of their own: whoever
reads contents by their keys must not take one row's noise for another's, nor for a content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrec.features.contract import canonical_json
from mmrec.io import content_key
from mmrec.params.knockout import ConstantParams, KnockoutParams, NoiseParams
from mmrec.seeds import derive_seed

Values = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


class Moments:
    """Mean and variance of each dimension over all rows, gathered batch by batch."""

    def __init__(self, dim: int) -> None:
        """Of no rows yet."""
        self._count = 0
        self._mean: Floats = np.zeros(dim)
        self._squares: Floats = np.zeros(dim)

    @classmethod
    def of(cls, batches: Iterable[Values], dim: int) -> Moments:
        """Of the rows [n, d] of all batches."""
        moments = cls(dim)
        for batch in batches:
            moments._add(batch.astype(np.float64))
        return moments

    @property
    def mean(self) -> Floats:
        """[d]."""
        return self._mean

    @property
    def deviation(self) -> Floats:
        """[d]; that of all rows, not of a sample."""
        deviation: Floats = np.sqrt(self._squares / max(self._count, 1))
        return deviation

    def _add(self, batch: Floats) -> None:
        # Chan et al. (1979): no difference of large sums, whatever the mean is.
        if not len(batch):
            return
        mean = batch.mean(0)
        total = self._count + len(batch)
        step = mean - self._mean
        self._squares += ((batch - mean) ** 2).sum(0)
        self._squares += step**2 * (self._count * len(batch) / total)
        self._mean = self._mean + step * (len(batch) / total)
        self._count = total


class Replacement:
    """What each row of a feature has in place of what its content became."""

    def __init__(
        self, knockout: ConstantParams | NoiseParams, moments: Moments, feature: str
    ) -> None:
        """Of rows with these moments; noise of another feature is other noise."""
        self._knockout = knockout
        self._moments = moments
        self._feature = feature
        told = canonical_json([knockout.model_dump(), feature]).encode()
        self._tag = content_key(told + moments.mean.tobytes() + moments.deviation.tobytes())

    def key(self, item: str, position: int, length: int) -> bytes:
        """In place of the content's key; rows with equal values have equal ones."""
        told: list[object] = [length]
        if isinstance(self._knockout, NoiseParams):
            told += [item, position]
        return content_key(self._tag + canonical_json(told).encode())

    def values(self, item: str, position: int, length: int, dtype: np.dtype[Any]) -> Values:
        """[length, d] in place of the vector or the token states of a content.

        What the format cannot hold is its largest number.
        """
        mean = self._moments.mean
        drawn = np.zeros((length, len(mean)))
        if isinstance(self._knockout, NoiseParams):
            seed = derive_seed(self._knockout.seed, "noise", self._feature, item, position)
            drawn = np.random.default_rng(seed).standard_normal(drawn.shape)
        limits = np.finfo(dtype)
        found = (mean + drawn * self._moments.deviation).clip(limits.min, limits.max)
        return found.astype(dtype)


def replacement(
    knockout: KnockoutParams | None, batches: Iterable[Values], dim: int, feature: str
) -> Replacement | None:
    """What stands in place of the values of `batches`; None where they stay."""
    if not isinstance(knockout, ConstantParams | NoiseParams):
        return None
    return Replacement(knockout, Moments.of(batches, dim), feature)
