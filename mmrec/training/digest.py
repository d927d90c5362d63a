"""Digest of all that decides the result of a training: only equals may be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b

import numpy as np
import torch
from torch import nn

from mmrec.code.closure import Code
from mmrec.params.model import Stage


def training_digest(
    settings: Mapping[str, object], batches_digest: str, objective: nn.Module
) -> str:
    """Digest of settings, batches, torch version, initial weights and features.

    The tensors of the untrained objective stand for its architecture, its seed, what it
    was initialised from and the features it reads.
    """
    digest = blake2b(digest_size=16)
    text = [dict(settings), batches_digest, torch.__version__]
    digest.update(json.dumps(text, sort_keys=True).encode())
    tensors = {**dict(objective.named_parameters()), **dict(objective.named_buffers())}
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(np.ascontiguousarray(values.numpy()).data)
    return digest.hexdigest()


def code_digest(stage: Stage, model: Mapping[str, object]) -> str:
    """Digest of the code that a training's result can depend on, as DVC sees it.

    Args:
        stage: which of the model's two trainings.
        model: its entry of `models:`, with every default filled in.
    """
    return _code_digest(stage, json.dumps(dict(model), sort_keys=True))


@cache
def _code_digest(stage: Stage, model: str) -> str:
    values = {"models": {"": json.loads(model)}}
    return _code().closure(f"stages.{stage}", [("models", "")], values).digest


@cache
def _code() -> Code:
    return Code()
