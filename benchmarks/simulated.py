"""A sequence file of any size: popular items in a long tail, most users short."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_sequences(
    file: Path, *, num_users: int = 22_363, num_items: int = 12_101, mean_length: float = 8.9
) -> None:
    """Write a line `user item item …` per user; the defaults are the size of Amazon Beauty."""
    generator = np.random.default_rng(1)
    lengths = 4 + generator.geometric(1 / (mean_length - 4), size=num_users)
    weights = 1 / np.arange(10, num_items + 10) ** 0.8
    items = 1 + generator.choice(num_items, size=lengths.sum(), p=weights / weights.sum())
    with file.open("w", encoding="utf-8") as out:
        for user, part in enumerate(np.split(items, np.cumsum(lengths)[:-1]), start=1):
            out.write(f"{user} {' '.join(map(str, part))}\n")
