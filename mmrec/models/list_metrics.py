"""Metrics of the lists of a run, which has features that items are told apart by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pyarrow as pa
import torch

from mmrec.evaluation.lists import Items, Vectors, summarize_lists
from mmrec.evaluation.metrics import Summary
from mmrec.features.item_means import item_means
from mmrec.features.table import FeatureTable
from mmrec.features.token_table import TokenTable
from mmrec.models.data import ModelData


def list_metrics(
    lists: pa.Table,
    ranks: pa.Table,
    data: ModelData,
    *,
    cutoffs: Sequence[int],
    history_bins: Sequence[int],
) -> dict[str, Summary | dict[str, Summary]]:
    """`summarize_lists`, with diversity by the text and by the image feature that the run has.

    Words are no vectors: a run that reads them has none by text.

    Args:
        lists: `LISTS`.
        ranks: `RANKS` of the same users.
        data: of the run.
        cutoffs: the K.
        history_bins: upper ends of the groups by history length.
    """
    return summarize_lists(
        lists,
        ranks["history_length"].to_numpy(),
        cutoffs=cutoffs,
        history_bins=history_bins,
        training_counts=data.training_counts.numpy(),
        vectors=dict(_features_of(data)),
    )


def _features_of(data: ModelData) -> Iterator[tuple[str, Callable[[Items], Vectors]]]:
    for modality, feature in data.features.items():
        if feature.level == "words":
            continue
        table = feature.vectors if feature.level == "vectors" else feature.tokens
        if table.dim:
            yield modality, partial(_vectors_of, table)


def _vectors_of(table: FeatureTable | TokenTable, items: Items) -> Vectors:
    vectors: Vectors = item_means(table, torch.from_numpy(items)).numpy()
    return vectors
