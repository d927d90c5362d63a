"""Rows in, a function of them out that keeps little for its gradients: a part is computed again."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def in_parts(function: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    """`function` of all rows [n], by parts of at most `size`; [n, D].

    Where gradients are wanted, only what the last part needs for them is kept: it is the first
    that they are computed for. The others are computed again, with the same dropout, one at a time.

    Args:
        function: of rows [m], each by itself; [m, D].
        rows: [n].
        size: of a part.
    """
    *earlier, last = torch.split(rows, size)
    parts: list[Tensor] = [checkpoint(function, part, use_reentrant=False) for part in earlier]
    return torch.cat([*parts, function(last)])
