"""Pipes, devices and links where files should be: named, and never waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmrec.features.cache.maintenance import compact, stats
from mmrec.features.cache.segments import segment_files
from mmrec.features.cache.store import DESCRIPTION, FeatureStore
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    aside = path.with_name("aside")
    aside.write_text("of somebody")
    path.symlink_to(aside)


def folder(path: Path) -> None:
    path.mkdir()


def knows(store: FeatureStore, numbers: range) -> int:
    keys = np.sort(keys_of(numbers))
    return int(store.fill(keys, np.empty((len(keys), FINGERPRINT.dim), np.float16)).sum())


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    found = open_store(tmp_path)
    found.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    return found


@pytest.mark.parametrize(
    ("make", "said"), [(pipe, "a named pipe"), (link, "a link"), (folder, "a folder")]
)
def test_beside_segments_it_is_named_and_left_alone(
    make: Callable[[Path], None],
    said: str,
    store: FeatureStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = store.segments_folder / f"{'0' * 32}.parquet"
    make(path)
    assert knows(open_store(tmp_path), range(3)) == 3
    assert f"{path}: {said}, expected a file; it is left alone, delete it" in caplog.text
    assert [found.num_segments for found in stats(tmp_path)] == [1]
    assert compact(store.folder) == 0
    assert path.exists()


@pytest.mark.parametrize("make", [pipe, link])
def test_in_the_place_of_a_segment_it_is_replaced_when_the_contents_are_encoded_again(
    make: Callable[[Path], None], store: FeatureStore, tmp_path: Path
) -> None:
    (segment,) = segment_files(store.segments_folder)
    segment.unlink()
    make(segment)
    again = open_store(tmp_path)
    assert knows(again, range(3)) == 0
    again.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    assert knows(open_store(tmp_path), range(3)) == 3


@pytest.mark.parametrize("make", [pipe, link])
def test_in_the_place_of_a_description_it_is_replaced(
    make: Callable[[Path], None], store: FeatureStore, tmp_path: Path
) -> None:
    (store.folder / DESCRIPTION).unlink()
    make(store.folder / DESCRIPTION)
    assert knows(open_store(tmp_path), range(3)) == 3
    assert [found.num_rows for found in stats(tmp_path)] == [3]


def test_in_the_place_of_an_index_it_is_not_read(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    index = open_store(tmp_path).folder / "index"
    for path in list(index.iterdir()):
        path.unlink()
        os.mkfifo(path)
    assert knows(open_store(tmp_path), range(3)) == 3
    assert store is not None
