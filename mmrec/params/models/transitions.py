"""Settings of the counter of one-step transitions: none."""

from __future__ import annotations

from typing import Literal

from mmrec.params.model import NoSettings, SystemParams


class TransitionsParams(SystemParams):
    """Items by how often they came directly after the last one; nothing to train."""

    name: Literal["transitions"]
    architecture: NoSettings
    pretrain: None
    finetune: None

    @property
    def has_vectors(self) -> bool:
        """It sums up weights of pairs of items."""
        return False
