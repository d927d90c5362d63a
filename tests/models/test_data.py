"""What a run reads of its dataset goes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec import schemas
from mmrec.data.clean import write_clean
from mmrec.dataset_paths import DatasetPaths
from mmrec.features.empty import write_empty_feature
from mmrec.io import DataError, write_table
from mmrec.models.data import load_model_data
from mmrec.paths import Paths
from tests.data.raw_world import cleaned, interactions, items, sequence_table
from tests.training.tiny_run import run_data


def clean_tables(folder: Path, num_items: int, lists: list[list[int]]) -> DatasetPaths:
    """Clean tables of a dataset without features, with `num_items` in the catalogue."""
    dataset = Paths(folder).dataset("plain")
    write_table(run_data(num_items, lists).items, dataset.items, schemas.CLEAN_ITEMS)
    write_table(sequence_table(lists), dataset.sequences, schemas.CLEAN_SEQUENCES)
    return dataset


def test_features_are_read_when_they_are_asked_for_and_once(tmp_path: Path) -> None:
    dataset = clean_tables(tmp_path, 5, [[1, 2, 3], [4, 5, 1]])
    write_empty_feature(dataset.features("none"))
    data = load_model_data(dataset, text="none", image="missing")
    assert data.features["text"].vectors is data.features["text"].vectors
    assert data.features["text"].tokens.num_items == data.num_items == 6
    with pytest.raises(DataError, match="missing: no such folder; run the stage that writes"):
        _ = data.features["image"].vectors


def test_a_feature_of_vectors_alone_has_no_token_states() -> None:
    feature = run_data(5, [[1, 2]]).features["text"]
    with pytest.raises(ValueError, match="name a feature of token states"):
        _ = feature.tokens
    with pytest.raises(ValueError, match="name a feature of token states"):
        feature.last_blocks()


def test_sequences_of_another_catalogue_are_named(tmp_path: Path) -> None:
    dataset = clean_tables(tmp_path, 5, [[1, 2, 3], [4, 5, 1]])
    write_empty_feature(dataset.features("none"))
    assert load_model_data(dataset, text="none", image="none").sequences.num_users == 2
    clean_tables(tmp_path, 4, [[1, 2, 3], [4, 5, 1]])
    with pytest.raises(DataError, match=r"item index 5, .* has 4 items; .* run the clean stage"):
        load_model_data(dataset, text="none", image="none")


def test_a_dataset_without_users_has_items_that_are_all_cold(tmp_path: Path) -> None:
    result = cleaned(tmp_path, items("abc"), interactions(), has_users=False)
    dataset = Paths(tmp_path).dataset("captions")
    write_clean(result, dataset)
    write_empty_feature(dataset.features("none"))
    data = load_model_data(dataset, text="none", image="none")
    assert data.num_items == 4
    assert data.sequences.num_users == 0
    assert len(data.sequences.items) == 0
    assert data.longest_sequence == 1
    assert data.training_counts.tolist() == [0, 0, 0, 0]
    assert data.is_cold.tolist() == [False, True, True, True]
