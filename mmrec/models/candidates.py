"""Items of histories and candidates together: each is encoded once, and a table is read once.

Shapes: T tokens (real positions), c candidates, n distinct items, N items incl. padding,
D embedding_dim.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Distinct(NamedTuple):
    """What to encode, and which of it is what."""

    items: Tensor  # [n]
    tokens: Tensor  # [T] place among the items
    candidates: Tensor  # [c] place among the items


def distinct(tokens: Tensor, candidates: Tensor) -> Distinct:
    """The items of tokens [T] and candidates [c], each once."""
    items, places = torch.unique(torch.cat([tokens, candidates]), return_inverse=True)
    of_tokens, of_candidates = places.tensor_split([len(tokens)])
    return Distinct(items, of_tokens, of_candidates)


def looked_up(tokens: Tensor, candidates: Tensor, item_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [T, D] and [c, D] of a table [N, D], in one look-up.

    Each look-up has a gradient of the size of the table.
    """
    rows = F.embedding(torch.cat([tokens, candidates]), item_ids)
    of_tokens, of_candidates = rows.tensor_split([len(tokens)])
    return of_tokens, of_candidates
