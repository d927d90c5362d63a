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

from mmrec.data.split import HeldOut

_PACKAGE = Path(__file__).parents[1]
_CODE_FOLDERS = ("data", "features", "nn", "models", "training", "evaluation")


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


def held_out_digest(held_out: HeldOut) -> str:
    """Digest of users, their histories and targets; of no item that comes after those."""
    rows = held_out.histories
    digest = blake2b(digest_size=16)
    for tensor in (rows.users, rows.lengths, rows.flat(), held_out.targets):
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    return digest.hexdigest()


@cache
def _code_digest() -> str:
    digest = blake2b(digest_size=16)
    for folder in _CODE_FOLDERS:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
