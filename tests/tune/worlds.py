"""Searches of the small shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIRST: dict[str, Any] = {
    "run": "sasrec",
    "objective": "ndcg@10",
    "num_trials": 4,
    "seed": 1,
    "sampler": "random",
    "pruner": "none",
    "space": {
        "finetune.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
        "architecture.num_layers": {"low": 1, "high": 3},
        "architecture.dropout": [0.1, 0.2],
    },
}


def write_search(project: Path, name: str = "first", **changes: Any) -> Path:
    """A file of `searches/`."""
    path = project / "searches" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(FIRST | changes))  # which is YAML, too
    return path
