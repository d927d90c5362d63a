"""Runs that are evaluated: their ranks, and the protocol of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from mmrec import schemas

NUM_USERS = 30
RUNS = ("plain-1", "plain-2", "better-1", "better-2", "other-1")
BY_TIME = {"name": "temporal", "validation": 0.8, "test": 0.9, "targets": "all"}
PROTOCOL: dict[str, Any] = {
    "dataset": "demo",
    "mask_history": True,
    "cold_positions": None,
    "tie_order": "random",
    "tie_seed": 1,
    "split": BY_TIME,
    "tied_share": 0.2,
    "later_training_share": 0.0,
    "later_training_share_of_items": 0.0,
}


def ranks(seed: int, worst: int) -> pa.Table:
    """A `RANKS` table whose rows are in no order; every third target is cold."""
    generator = np.random.default_rng(seed)
    users = generator.permutation(NUM_USERS)
    columns = {
        "user_index": users,
        "target": users + 1,
        "rank": generator.integers(1, worst, NUM_USERS),
        "target_is_cold": users % 3 == 0,
        "target_training_count": users,
        "history_length": users + 2,
    }
    return pa.table(columns).cast(schemas.RANKS)


TABLES = {
    name: ranks(place, worst)
    for place, (name, worst) in enumerate(zip(RUNS, (40, 40, 12, 12, 35), strict=True))
}
