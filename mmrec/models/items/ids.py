"""Items by their IDs alone, where other arms of a table know them by content."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmrec.models.items.encoder import ItemEncoder


class IdEncoder(ItemEncoder):
    """An embedding for each item, Xavier-normal (PMMRec's and MMSR's released code).

    Args:
        num_items: N, padding included.
        embedding_dim: D.
    """

    def __init__(self, num_items: int, embedding_dim: int) -> None:
        super().__init__()
        self.item_ids = nn.Parameter(torch.empty(num_items, embedding_dim))
        nn.init.xavier_normal_(self.item_ids)

    def item_parameters(self) -> tuple[str, ...]:
        """The embeddings."""
        return ("item_ids",)

    def encode(self, items: Tensor) -> Tensor:
        """Embeddings of the items [n]; [n, D]."""
        return F.embedding(items, self.item_ids)

    def encode_all(self) -> Tensor:
        """All of them; [N, D]."""
        return self.item_ids
