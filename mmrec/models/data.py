"""What a model is built from and trained on: a dataset's items, sequences and features."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, Self

import pyarrow as pa
import torch
from torch import Tensor, nn

from mmrec import schemas
from mmrec.data.sequences import Sequences
from mmrec.dataset_paths import DatasetPaths
from mmrec.features.parts import level_of_files
from mmrec.features.table import FeatureTable, load_feature_table
from mmrec.features.token_table import TokenTable, load_token_table
from mmrec.features.word_table import WordTable, load_word_table
from mmrec.io import DataError, read_table
from mmrec.params.features import StoredLevel
from mmrec.params.model import Stage
from mmrec.params.training import Modality
from mmrec.stage import memory_for


def _of_vectors() -> NoReturn:
    raise ValueError("a feature of vectors has no token states; name a feature of token states")


def _of_no_words() -> NoReturn:
    raise ValueError("a feature of an extractor has no words; name bag_of_words")


class Feature:
    """A feature of a dataset, read on first use, in the form that is asked for.

    Args:
        vectors: gives the vectors of every item; of dimension 0 where a run has no such feature.
        tokens: gives the token states of every item's contents.
        last_blocks: builds the blocks that the states enter, with the extractor's weights.
        level: says which of them it has.
        has_last_blocks: says whether the states enter blocks, or are final.
        words: gives the words of every item.
    """

    def __init__(
        self,
        vectors: Callable[[], FeatureTable],
        tokens: Callable[[], TokenTable] = _of_vectors,
        last_blocks: Callable[[], nn.Module] = _of_vectors,
        level: Callable[[], StoredLevel] = lambda: "vectors",
        has_last_blocks: Callable[[], bool] = lambda: False,
        words: Callable[[], WordTable] = _of_no_words,
    ) -> None:
        self._vectors, self._tokens, self._last_blocks = vectors, tokens, last_blocks
        self._level, self._has_last_blocks, self._words = level, has_last_blocks, words

    @classmethod
    def stored(cls, dataset: DatasetPaths, name: str, items: pa.Table) -> Self:
        """That of a dataset's folder, given to the items of the catalogue."""
        folder = dataset.features(name)

        def vectors() -> FeatureTable:
            with _memory(dataset):
                return load_feature_table(folder, items)

        def tokens() -> TokenTable:
            with _memory(dataset):
                return load_token_table(folder, items)

        def last_blocks() -> nn.Module:
            from mmrec.features.extractors.kept_blocks import build_last_blocks

            return build_last_blocks(folder)

        def has_last_blocks() -> bool:
            from mmrec.features.extractors.kept_blocks import has_blocks

            return has_blocks(folder)

        def words() -> WordTable:
            with _memory(dataset):
                return load_word_table(folder, items)

        def level() -> StoredLevel:
            return level_of_files(folder)

        return cls(vectors, tokens, last_blocks, level, has_last_blocks, words)

    @cached_property
    def level(self) -> StoredLevel:
        """Whether it has one vector of a content, the states of its tokens, or words.

        Raises:
            DataError: a file is not what it must be.
        """
        return self._level()

    @cached_property
    def vectors(self) -> FeatureTable:
        """Vectors of every item.

        Raises:
            DataError: a file is not what it must be, or there is too little memory for it.
        """
        return self._vectors()

    @cached_property
    def tokens(self) -> TokenTable:
        """Token states of every item's contents, on the host.

        Raises:
            DataError: a file is not what it must be, or there is no room for it.
            ValueError: it is a feature of vectors.
        """
        return self._tokens()

    @cached_property
    def words(self) -> WordTable:
        """Words of every item.

        Raises:
            DataError: a file is not what it must be.
            ValueError: it is a feature of an extractor.
        """
        return self._words()

    @property
    def has_last_blocks(self) -> bool:
        """Its token states enter blocks; else they are final ones."""
        return self._has_last_blocks()

    def last_blocks(self) -> nn.Module:
        """The blocks that the token states enter, to be trained from them.

        Raises:
            DataError: the feature's states enter no blocks, or a file is not what it must be.
            ValueError: it is a feature of vectors.
        """
        return self._last_blocks()


@dataclass(frozen=True)
class ModelData:
    """What a model is built from and trained on.

    Attributes:
        items: CLEAN_ITEMS.
        sequences: of all users, whole.
        features: by modality.
        training_counts: int64 [N], training interactions by item index.
        is_cold: bool [N], by item index.
    """

    items: pa.Table
    sequences: Sequences
    features: dict[Modality, Feature]
    training_counts: Tensor
    is_cold: Tensor

    @property
    def num_items(self) -> int:
        """N, padding included."""
        return int(self.items.num_rows) + 1

    @property
    def longest_sequence(self) -> int:
        """Interactions of the user who has most, at least 1."""
        lengths = self.sequences.lengths
        return max(1, int(lengths.max())) if len(lengths) else 1


@dataclass(frozen=True)
class TrainingRun:
    """Of which run a training is, and which part.

    Attributes:
        stage: which of the model's two trainings, one that it has; part of every seed.
        seed: of the run.
        mask_history: in validation, what a user has seen is no candidate.
    """

    stage: Stage
    seed: int
    mask_history: bool


def load_model_data(dataset: DatasetPaths, *, text: str, image: str) -> ModelData:
    """Read items and sequences of a dataset, and two of its features when they are asked for.

    Raises:
        DataError: a file is not what it must be, or there is too little memory for it.
    """
    with _memory(dataset):
        items = read_table(dataset.items, schemas.CLEAN_ITEMS)
        sequences = Sequences.from_table(read_table(dataset.sequences, schemas.CLEAN_SEQUENCES))
    counts = torch.from_numpy(items["training_count"].to_numpy().astype("int64"))
    is_cold = torch.from_numpy(items["is_cold"].to_numpy(zero_copy_only=False).astype("bool"))
    largest = int(sequences.items.max()) if len(sequences.items) else 0
    if largest > items.num_rows:
        raise DataError(
            f"{dataset.sequences}: item index {largest:,}, but {dataset.items} has "
            f"{items.num_rows:,} items; they are of two cleanings, run the clean stage again"
        )

    return ModelData(
        items=items,
        sequences=sequences,
        features={
            "text": Feature.stored(dataset, text, items),
            "image": Feature.stored(dataset, image, items),
        },
        training_counts=torch.cat([counts.new_zeros(1), counts]),
        is_cold=torch.cat([is_cold.new_zeros(1), is_cold]),
    )


def _memory(dataset: DatasetPaths) -> AbstractContextManager[None]:
    return memory_for(f"reading {dataset.root}", lower="take features of fewer dimensions")
