"""Settings of the ranking by popularity: none."""

from __future__ import annotations

from typing import Literal

from mmrec.params.model import NoSettings, SystemParams


class PopularityParams(SystemParams):
    """Items by their number of training interactions."""

    name: Literal["popularity"]
    architecture: NoSettings
    pretrain: None
    finetune: None
