"""Neighbours by content from a run's features; nothing to train."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from mmrec.features.item_means import item_means
from mmrec.models.contentknn.model import ContentVectors, SparseContent, nearest_by_content
from mmrec.models.contentknn.tfidf import tfidf_vectors
from mmrec.models.data import ModelData
from mmrec.models.items.features import require_features
from mmrec.nn.scoring import unit
from mmrec.params.model import Stage
from mmrec.params.models.contentknn import (
    ContentKnnArchitecture,
    ContentKnnParams,
    MeanVectorsContent,
    TfidfContent,
)
from mmrec.recommender import Recommender


def build_recommender(params: ContentKnnParams, data: ModelData, stage: Stage) -> Recommender:
    """The content of all items of the catalogue, and no interaction.

    Raises:
        ValueError: the run has not the features that are compared, or they have no content.
    """
    architecture = params.architecture
    match architecture.content:
        case TfidfContent() as content:
            vectors = tfidf_vectors(
                data.features["text"].words,
                sublinear_tf=content.sublinear_tf,
                smooth_idf=content.smooth_idf,
                min_df=content.min_df,
                max_df=content.max_df,
            )
            return _by_words(vectors, architecture)
        case MeanVectorsContent():
            return _by_vectors(_mean_vectors(params, data, stage), architecture)
        case _:
            assert_never(architecture.content)


def _by_words(vectors: sparse.csr_array, architecture: ContentKnnArchitecture) -> Recommender:
    if architecture.num_neighbours is None:
        return _summed(vectors, vectors, architecture)
    transposed = vectors.T.tocsr()

    def similarities(first: int, last: int) -> Tensor:
        return torch.from_numpy((vectors[first:last] @ transposed).toarray()).float()

    has_content = torch.from_numpy(np.diff(vectors.indptr) > 0)
    return _by_neighbours(similarities, has_content, architecture.num_neighbours, architecture)


def _by_vectors(vectors: Tensor, architecture: ContentKnnArchitecture) -> Recommender:
    if architecture.num_neighbours is None:
        length, decay = architecture.history_length, architecture.decay
        return ContentVectors(vectors, history_length=length, decay=decay)

    def similarities(first: int, last: int) -> Tensor:
        return vectors[first:last] @ vectors.T

    has_content = (vectors != 0).any(dim=1)
    return _by_neighbours(similarities, has_content, architecture.num_neighbours, architecture)


def _by_neighbours(
    similarities: Callable[[int, int], Tensor],
    has_content: Tensor,
    num_neighbours: int,
    architecture: ContentKnnArchitecture,
) -> SparseContent:
    near = nearest_by_content(similarities, has_content, num_neighbours=num_neighbours)
    # Of a candidate the row of its neighbours; of an item that is read, itself.
    itself = sparse.eye_array(near.shape[0], format="csr")
    return _summed(itself, near, architecture)


def _summed(
    read: sparse.csr_array, scored: sparse.csr_array, architecture: ContentKnnArchitecture
) -> SparseContent:
    length, decay = architecture.history_length, architecture.decay
    return SparseContent(read, scored, history_length=length, decay=decay)


def _mean_vectors(params: ContentKnnParams, data: ModelData, stage: Stage) -> Tensor:
    """Unit vectors of the mean of each feature, side by side, float32 [N, D]."""
    features = {name: data.features[name] for name in params.modalities(stage)}
    tables = {
        name: feature.tokens if feature.level == "tokens" else feature.vectors
        for name, feature in features.items()
    }
    require_features(tables, data, params.name)
    every = torch.arange(data.num_items)
    return torch.cat([unit(item_means(table, every)) for table in tables.values()], dim=1)
