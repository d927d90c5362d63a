"""Settings of SASRecM, SASRec with features, as MP4SR's authors compare with."""

from __future__ import annotations

from typing import Literal

from mmrec.params.content import ContentArchitecture, ContentParams
from mmrec.params.next_item import NextItemFinetune
from mmrec.params.own_ids import OwnIdsTrainingParams
from mmrec.params.training import Probability


class SasrecmArchitecture(ContentArchitecture):
    """The baseline of MP4SR's released code, with each item's own features.

    That code reads the features of the item before; a run of it says nothing of this model.
    """

    dropout: Probability = 0.2
    attention_dropout: Probability = 0.2
    feature_dropout: Probability = 0.2
    """Of what enters each dense map of a feature."""


class SasrecmFinetune(NextItemFinetune, OwnIdsTrainingParams):
    """Training on the next item."""


class SasrecmParams(ContentParams):
    """SASRec whose items are their ID's embedding plus an embedding of each feature."""

    name: Literal["sasrecm"]
    architecture: SasrecmArchitecture
    finetune: SasrecmFinetune
