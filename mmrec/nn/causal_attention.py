"""Queries, keys and values of sequences in, what each position attends to out.

Shapes: b sequences, H heads, l length, d width of a head.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from mmrec.nn.dropout import dropout

# Up to this length few scores are computed in vain by taking them all.
SHORT = 64

# Not cuDNN's, which on recent GPUs comes first: it makes a plan for each shape, and the groups of
# every batch have shapes of their own.
GPU_KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def causal_attention(query: Tensor, key: Tensor, value: Tensor, *, drop: float) -> Tensor:
    """Attention of each position to itself and earlier ones; 3 x [b, H, l, d] -> [b, H, l, d].

    Args:
        query: [b, H, l, d].
        key: [b, H, l, d].
        value: [b, H, l, d].
        drop: share of the attention weights that is dropped; 0 outside training.
    """
    # On a CPU torch's kernel knows no dropout, and is slow to start on short sequences.
    kernel_pays = not drop and (query.requires_grad or query.shape[-2] > SHORT)
    if query.device.type != "cpu":
        with sdpa_kernel(GPU_KERNELS):
            return F.scaled_dot_product_attention(query, key, value, dropout_p=drop, is_causal=True)
    if kernel_pays:
        return F.scaled_dot_product_attention(query, key, value, dropout_p=drop, is_causal=True)
    batch, heads, length, width = query.shape
    query, key, value = (part.flatten(0, 1) for part in (query, key, value))  # [b * H, l, d]
    future = torch.full((length, length), -torch.inf, dtype=query.dtype).triu_(1)
    scale = 1 / math.sqrt(width)
    scores = torch.baddbmm(future, query, key.transpose(1, 2), alpha=scale)  # [b * H, l, l]
    weights = dropout(scores.softmax(dim=-1), drop, training=drop > 0)
    return (weights @ value).view(batch, heads, length, width)
