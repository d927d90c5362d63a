"""Settings of the counter of one-step transitions: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from mmrec.params.model import NoSettings, SystemParams


class TransitionsParams(SystemParams):
    """Items by how often they came directly after the last one; nothing to train."""

    has_vectors: ClassVar[bool] = False

    name: Literal["transitions"]
    architecture: NoSettings
    pretrain: None
    finetune: None
