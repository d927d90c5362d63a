"""Queries, keys and values of sequences in, what each position attends to out.

Shapes: b sequences, H heads, l length, k length of what is attended to, d width of a head,
D = H * d.

Sequences are padded on the right. A causal position sees none of it; where every position sees
all others, padded keys are masked. What comes out at padded positions means nothing, but is
finite: every sequence has a real key.
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


def check_num_heads(embedding_dim: int, num_heads: int) -> None:
    """Refuse heads that cannot share the width equally."""
    if embedding_dim % num_heads:
        raise ValueError(
            f"embedding_dim ({embedding_dim}) must be divisible by num_heads ({num_heads}); "
            "change one of them"
        )


def split_heads(joint: Tensor, num_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Query, key and value of each head; [b, l, 3 * D] -> 3 x [b, H, l, d]."""
    num_sequences, length, width = joint.shape
    heads = joint.view(num_sequences, length, 3, num_heads, width // 3 // num_heads)
    query, key, value = heads.permute(2, 0, 3, 1, 4)  # 3 x [b, H, l, d]
    return query, key, value


def causal_attention(query: Tensor, key: Tensor, value: Tensor, *, drop: float) -> Tensor:
    """Attention of each position to itself and earlier ones; 3 x [b, H, l, d] -> [b, H, l, d].

    Args:
        query: [b, H, l, d].
        key: [b, H, l, d].
        value: [b, H, l, d].
        drop: share of the attention weights that is dropped; 0 outside training.
    """
    if _kernel_pays(query, drop):
        return _by_kernel(query, key, value, mask=None, is_causal=True, drop=drop)
    length = query.shape[-2]
    future = torch.full((length, length), -torch.inf, dtype=query.dtype).triu_(1)
    return _by_hand(query, key, value, future, drop=drop)


def two_way_attention(
    query: Tensor, key: Tensor, value: Tensor, *, real: Tensor | None, drop: float
) -> Tensor:
    """Attention of each position to all real ones, of its own sequence or of another.

    Args:
        query: [b, H, l, d].
        key: [b, H, k, d].
        value: [b, H, k, d].
        real: [b, k] true where a key is no padding, at least once in each sequence; None if
            everywhere.
        drop: share of the attention weights that is dropped; 0 outside training.

    Returns:
        [b, H, l, d].
    """
    if _kernel_pays(query, drop):
        mask = None if real is None else real[:, None, None]  # [b, 1, 1, k]
        return _by_kernel(query, key, value, mask=mask, is_causal=False, drop=drop)
    padding = query.new_zeros(1, 1, 1)
    if real is not None:
        padding = query.new_zeros(real.shape).masked_fill_(~real, -torch.inf)  # [b, k]
        padding = padding.repeat_interleave(query.shape[1], dim=0).unsqueeze(1)  # [b * H, 1, k]
    return _by_hand(query, key, value, padding, drop=drop)


def _kernel_pays(query: Tensor, drop: float) -> bool:
    # On a CPU torch's kernel knows no dropout, and is slow to start on short sequences.
    on_cpu_pays = not drop and (query.requires_grad or query.shape[-2] > SHORT)
    return on_cpu_pays or query.device.type != "cpu"


def _by_kernel(
    query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None, is_causal: bool, drop: float
) -> Tensor:
    if query.device.type == "cpu":
        return F.scaled_dot_product_attention(query, key, value, mask, drop, is_causal)
    with sdpa_kernel(GPU_KERNELS):
        return F.scaled_dot_product_attention(query, key, value, mask, drop, is_causal)


def _by_hand(query: Tensor, key: Tensor, value: Tensor, hidden: Tensor, *, drop: float) -> Tensor:
    """Attention with `hidden` added to the scores [b * H, l, k]: minus infinity hides a key."""
    batch, heads, length, width = query.shape
    query, key, value = (part.flatten(0, 1) for part in (query, key, value))  # [b * H, l or k, d]
    scale = 1 / math.sqrt(width)
    scores = torch.baddbmm(hidden, query, key.transpose(1, 2), alpha=scale)  # [b * H, l, k]
    weights = dropout(scores.softmax(dim=-1), drop, training=drop > 0)
    return (weights @ value).view(batch, heads, length, width)
