"""Weights of the project's transformer layers in torch's own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_NAMES = {
    "self_attn.in_proj_": "attention.query_key_value.",
    "self_attn.out_proj.": "attention.output.",
    "linear1.": "expand.",
    "linear2.": "contract.",
    "norm1.": "attention_norm.",
    "norm2.": "feedforward_norm.",
}


def copy_layers(encoder: nn.TransformerEncoder, weights: Mapping[str, Tensor], prefix: str) -> None:
    """Give the encoder the weights of the layers `<prefix>.0`, `.1`, …; biases that lack are 0."""
    with torch.no_grad():
        for number, layer in enumerate(encoder.layers):
            for theirs, ours in _NAMES.items():
                name = f"{prefix}.{number}.{ours}"
                layer.get_parameter(f"{theirs}weight").copy_(weights[f"{name}weight"])
                bias = weights.get(f"{name}bias", torch.zeros(()))
                layer.get_parameter(f"{theirs}bias").copy_(bias)
