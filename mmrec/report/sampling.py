"""Rows of large tables that a page shows: how many there are in, some of them out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmrec.seeds import derive_seed

Indices = npt.NDArray[np.int64]

_SEED = 0


def drawn_at_random(number: int, most: int, of: str) -> Indices:
    """Some of so many rows, ascending; all, where there are no more than `most`.

    The same every time, and a smaller sample is part of every larger one.

    Args:
        number: How many rows there are.
        most: How many are drawn of them.
        of: What they are of: samples of different things have nothing to do with each other.
    """
    generator = np.random.default_rng(derive_seed(_SEED, "report", of))
    return np.sort(generator.permutation(number)[:most])
