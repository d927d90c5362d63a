"""Settings of item-kNN, as in RecBole."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, PositiveInt

from mmrec.params.model import SystemParams
from mmrec.params.section import Section


class ItemKnnArchitecture(Section):
    """Neighbours of a candidate."""

    num_neighbours: PositiveInt = 100
    """Most similar items of each candidate that count."""
    shrink: NonNegativeFloat = 0.0
    """Added to the denominator of a similarity: few shared users count less."""


class ItemKnnParams(SystemParams):
    """Items that the users of a history's items chose as well; nothing to train."""

    name: Literal["itemknn"]
    architecture: ItemKnnArchitecture
    pretrain: None
    finetune: None

    @property
    def has_vectors(self) -> bool:
        """It sums up weights of pairs of items."""
        return False
