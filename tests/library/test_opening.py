"""Datasets and features as frames and tensors; `import mmrec` imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch

import mmrec
from mmrec import open_dataset, open_feature, schemas
from mmrec.io import read_table
from tests.library.worlds import NUM_ITEMS, NUM_USERS, item


def test_importing_the_package_imports_nothing_of_the_library() -> None:
    code = "import sys; before = {*sys.modules}; import mmrec; print(*({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "polars", "pyarrow", "numpy", "pydantic", "mmrec.library"}
    assert "mmrec" in done.stdout.split()
    assert not heavy & {*done.stdout.split()}


def test_everything_that_is_offered_is_there() -> None:
    assert {name: callable(getattr(mmrec, name)) for name in mmrec.__all__} == dict.fromkeys(
        ("Filters", "export_run", "fit", "open_dataset", "open_feature", "open_run"), True
    )
    with pytest.raises(AttributeError, match="module 'mmrec' has no attribute 'open_door'"):
        mmrec.open_door  # noqa: B018


def test_a_dataset_has_items_users_sequences_and_texts(shop: Path) -> None:
    data = open_dataset("shop", shop)
    assert data.items["item_id"].to_list() == [item(place) for place in range(NUM_ITEMS)]
    assert data.users.height == NUM_USERS
    log = pl.read_csv(shop / "files" / "log.csv")
    for user, items, times in data.sequences.select(
        "user_id", "item_ids", "timestamps_ns"
    ).iter_rows():
        own = log.filter(pl.col("who") == user)
        assert items == own["sku"].to_list()
        assert times == [when * 10**9 for when in own["when"]]
    assert data.sequences.columns[3:] == [
        *("training_end", "validation_start", "validation_end", "test_start", "test_end")
    ]
    assert data.texts.filter(pl.col("field") == "shelf")["item_id"].to_list() == [
        item(place) for place in range(6)
    ]


def test_words_are_rows_without_a_tensor(shop: Path) -> None:
    found = open_feature("shop", "bag_of_words", shop)
    assert found.level == "words"
    assert found.rows.columns == found.frame.columns == ["item_id", "words", "counts"]
    assert found.rows.height == NUM_ITEMS
    for asked in (lambda: found.tensor, found.item_means):
        with pytest.raises(ValueError, match="feature 'bag_of_words' is of words"):
            asked()


def test_vectors_are_a_tensor_a_frame_and_means_of_items(shop: Path) -> None:
    found = open_feature("shop", "sentences", shop)
    assert found.level == "vectors"
    assert torch.equal(found.tensor, torch.arange(6).reshape(3, 2).half())
    assert found.frame.columns == ["item_id", "position", "vector"]
    assert found.frame["vector"].to_list() == [[0, 1], [2, 3], [4, 5]]
    assert found.frame["item_id"].to_list() == [item(2), item(2), item(5)]
    assert found.item_means().rows() == [(item(2), [1.0, 2.0]), (item(5), [4.0, 5.0])]


def test_token_states_are_rows_of_tokens(shop: Path) -> None:
    found = open_feature("shop", "states", shop)
    assert found.level == "tokens"
    assert found.rows.rows() == [(item(2), 0, 0), (item(2), 0, 1), (item(5), 0, 0)]
    assert found.tensor.shape == (3, 2)
    with pytest.raises(ValueError, match="feature 'states' is of tokens, expected vectors"):
        found.item_means()


def test_the_items_are_those_of_the_file(shop: Path) -> None:
    data = open_dataset("shop", shop)
    assert (
        data.items.to_arrow()
        .cast(schemas.CLEAN_ITEMS)
        .equals(read_table(data.paths.items, schemas.CLEAN_ITEMS))
    )
