"""Digest of all that decides the result of a training: only equals may be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import nn

_PACKAGE = Path(__file__).parents[1]
CODE = (
    "stage.py",
    "atomic.py",
    "io.py",
    "paths.py",
    "schemas.py",
    "seeds.py",
    "recommender.py",
    "device.py",
    "params",
    "training",
    "models",
    "nn",
    "evaluation",
    "features/parts.py",
    "features/table.py",
    "data/batches.py",
    "data/cutting.py",
    "data/sequences.py",
    "data/histories.py",
    "data/split.py",
)
"""What a training runs of this package: the code that its stages depend on in dvc.yaml."""


def training_digest(
    settings: Mapping[str, object], batches_digest: str, objective: nn.Module
) -> str:
    """Digest of settings, batches, code, torch version, initial weights and features.

    The tensors of the untrained objective stand for its architecture, its seed, what it
    was initialised from and the features it reads.
    """
    digest = blake2b(digest_size=16)
    text = [dict(settings), batches_digest, _code_digest(), torch.__version__]
    digest.update(json.dumps(text, sort_keys=True).encode())
    tensors = {**dict(objective.named_parameters()), **dict(objective.named_buffers())}
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(np.ascontiguousarray(values.numpy()).data)
    return digest.hexdigest()


@cache
def _code_digest() -> str:
    digest = blake2b(digest_size=16)
    for name in CODE:
        path = _PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()
