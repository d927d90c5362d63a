"""Settings of FDSA, in the form that MP4SR's authors compare with."""

from __future__ import annotations

from typing import Literal

from mmrec.params.content import ContentArchitecture, ContentParams
from mmrec.params.training import Probability


class FdsaArchitecture(ContentArchitecture):
    """The baseline of MP4SR's released code, with each item's own features.

    That code reads the features of the item before; a run of it says nothing of this model.
    """

    dropout: Probability = 0.2
    attention_dropout: Probability = 0.2
    feature_dropout: Probability = 0.2
    """Of what enters each dense map of a feature."""


class FdsaParams(ContentParams):
    """FDSA: one transformer over items, one over their features.

    Candidates are IDs alone: it cannot place an item that nobody has seen.
    """

    name: Literal["fdsa"]
    architecture: FdsaArchitecture
