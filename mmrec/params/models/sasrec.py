"""Settings of SASRec, as in RecBole."""

from __future__ import annotations

from typing import Literal

from mmrec.params.next_item import NextItemParams
from mmrec.params.training import Probability, TransformerArchitecture


class SasrecArchitecture(TransformerArchitecture):
    """SASRec as in RecBole: post-norm, over item embeddings."""

    dropout: Probability = 0.5
    attention_dropout: Probability = 0.5


class SasrecParams(NextItemParams):
    """SASRec, from item IDs alone."""

    name: Literal["sasrec"]
    architecture: SasrecArchitecture
