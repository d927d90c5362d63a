"""Item-kNN from the training parts of the sequences; nothing to train."""

from __future__ import annotations

from mmrec.data.split import training_part
from mmrec.models.data import ModelData
from mmrec.models.itemknn.model import ItemKnn, nearest_neighbours
from mmrec.params.model import Stage
from mmrec.params.models.itemknn import ItemKnnParams


def build_recommender(params: ItemKnnParams, data: ModelData, stage: Stage) -> ItemKnn:
    """Similarities of what was chosen in training; it reads histories whole."""
    architecture = params.architecture
    weights = nearest_neighbours(
        training_part(data.sequences),
        data.num_items,
        num_neighbours=architecture.num_neighbours,
        shrink=architecture.shrink,
    )
    return ItemKnn(weights, max_sequence_length=data.longest_sequence)
