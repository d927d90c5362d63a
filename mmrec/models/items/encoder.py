"""What every item encoder offers.

Shapes: N items incl. padding, n items asked for, D embedding_dim.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class ItemEncoder(nn.Module, ABC):
    """Items in, one vector each out; with gradient."""

    items_at_once: int | None = None
    """At most so many are encoded together for retrieval, where an item takes much memory."""

    def item_parameters(self) -> tuple[str, ...]:
        """Names of its parameters with a row per item; none where it knows items by content."""
        return ()

    @abstractmethod
    def encode(self, items: Tensor) -> Tensor:
        """Vectors of the items [n]; [n, D]. Others are not read."""

    @abstractmethod
    def encode_all(self) -> Tensor:
        """Vectors of the whole catalogue; [N, D]. Row 0, padding, means nothing."""
