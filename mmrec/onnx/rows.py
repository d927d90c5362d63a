"""Rows of items, padded to one number: which are real, and their mean.

Shapes: n items, r rows, d width.
"""

from __future__ import annotations

import torch
from torch import Tensor


def real_rows(rows: Tensor, counts: Tensor) -> Tensor:
    """Which rows are no padding; [n, r, d], [n] -> [n, r]."""
    return torch.arange(rows.shape[1], device=rows.device).unsqueeze(0) < counts.unsqueeze(1)


def masked_mean(rows: Tensor, counts: Tensor) -> Tensor:
    """Mean of the real rows, zeros where there are none; [n, r, d], [n] -> [n, d]."""
    weights = real_rows(rows, counts).to(rows.dtype) / counts.clamp(min=1).unsqueeze(1)  # [n, r]
    return (weights.unsqueeze(1) @ rows).squeeze(1)
