"""The ranking by popularity; nothing to train."""

from __future__ import annotations

from mmrec.models.data import ModelData
from mmrec.models.popularity.model import Popularity
from mmrec.params.model import Stage
from mmrec.params.models.popularity import PopularityParams


def build_recommender(params: PopularityParams, data: ModelData, stage: Stage) -> Popularity:
    """The training counts as a model."""
    return Popularity(data.training_counts)
