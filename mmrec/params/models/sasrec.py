"""Settings of SASRec, as in RecBole."""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat

from mmrec.params.next_item import NextItemParams
from mmrec.params.training import Probability, TransformerArchitecture


class SasrecArchitecture(TransformerArchitecture):
    """SASRec as in RecBole: post-norm, over item embeddings."""

    dropout: Probability = 0.5
    attention_dropout: Probability = 0.5
    score: Literal["dot", "cosine"] = "dot"
    """`dot`: inner product of state and embedding, as published; `cosine`: of their directions,
    over the temperature."""
    temperature: PositiveFloat = 0.07
    """What cosines are divided by; of no account to `dot`."""


class SasrecParams(NextItemParams):
    """SASRec, from item IDs alone."""

    name: Literal["sasrec"]
    architecture: SasrecArchitecture
