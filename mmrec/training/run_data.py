"""What a run reads of its dataset, in memory; and the model over it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import torch
from torch import Tensor

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.features.table import FeatureTable, load_feature_table
from mmrec.io import DataError, read_table
from mmrec.models.build import build_recommender
from mmrec.models.recommender import SequenceRecommender
from mmrec.params.baselines import PopularityParams
from mmrec.params.model_section import Stage
from mmrec.params.models import ModelParams
from mmrec.paths import DatasetPaths
from mmrec.stage import memory_for


@dataclass(frozen=True)
class RunData:
    """What a run reads of its dataset.

    Attributes:
        items: CLEAN_ITEMS.
        sequences: of all users, whole.
        text: text features; dimension 0 where the run has none.
        image: image features; dimension 0 where the run has none.
        training_counts: int64 [N], training interactions by item index.
        is_cold: bool [N], by item index.
    """

    items: pa.Table
    sequences: Sequences
    text: FeatureTable
    image: FeatureTable
    training_counts: Tensor
    is_cold: Tensor


def load_run_data(dataset: DatasetPaths, *, text: str, image: str) -> RunData:
    """Read items, sequences and the two features of a run.

    Raises:
        DataError: a file is not what it must be, or there is too little memory for it.
    """
    with memory_for(f"reading {dataset.root}", lower="take features of fewer dimensions"):
        return _read(dataset, text, image)


def _read(dataset: DatasetPaths, text: str, image: str) -> RunData:
    items = read_table(dataset.items, schemas.CLEAN_ITEMS)
    counts = torch.from_numpy(items["training_count"].to_numpy().astype("int64"))
    is_cold = torch.from_numpy(items["is_cold"].to_numpy(zero_copy_only=False).astype("bool"))
    sequences = Sequences.from_table(read_table(dataset.sequences, schemas.CLEAN_SEQUENCES))
    largest = int(sequences.items.max()) if len(sequences.items) else 0
    if largest > items.num_rows:
        raise DataError(
            f"{dataset.sequences}: item index {largest:,}, but {dataset.items} has "
            f"{items.num_rows:,} items; they are of two cleanings, run the clean stage again"
        )
    return RunData(
        items=items,
        sequences=sequences,
        text=load_feature_table(dataset.features(text), items),
        image=load_feature_table(dataset.features(image), items),
        training_counts=torch.cat([counts.new_zeros(1), counts]),
        is_cold=torch.cat([is_cold.new_zeros(1), is_cold]),
    )


def build_for(params: ModelParams, data: RunData, stage: Stage) -> SequenceRecommender:
    """The recommender of a stage over a run's data, with fresh weights."""
    return build_recommender(
        params,
        num_items=data.items.num_rows + 1,
        text=data.text,
        image=data.image,
        training_counts=data.training_counts,
        stage=stage,
    )


def max_sequence_length(params: ModelParams) -> int:
    """Latest items of a history that a model sees."""
    return 1 if isinstance(params, PopularityParams) else params.architecture.max_sequence_length
