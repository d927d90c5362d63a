"""Statistics and compaction."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmrec.features.cache.layout import VectorLayout
from mmrec.features.cache.maintenance import (
    compact,
    stats,
    stores,
)
from mmrec.features.cache.segments import read_keys
from mmrec.features.cache.store import FeatureStore
from mmrec.features.extractor import Fingerprint
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of

OTHER = Fingerprint(**{**asdict(FINGERPRINT), "version": 2})


def fill(root: Path, pieces: int) -> None:
    for piece in range(pieces):
        numbers = range(piece * 8, piece * 8 + 10)  # two of each piece are in the next one, too
        open_store(root).append(keys_of(numbers), vectors_of(keys_of(numbers)))


def test_stats_say_what_is_held_for_what(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (found,) = stats(tmp_path)
    assert (found.num_segments, found.num_rows) == (3, 30)
    assert Fingerprint(**found.fingerprint) == FINGERPRINT
    assert found.libraries == {"torch": "1"}
    assert found.num_bytes > 30 * (16 + 12)


def test_compaction_keeps_every_vector_once(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    assert compact(stores(tmp_path)[0]) == 4
    (found,) = stats(tmp_path)
    assert (found.num_segments, found.num_rows) == (1, 42)
    keys = np.sort(keys_of(range(42)))
    vectors = np.zeros((42, FINGERPRINT.dim), np.float16)
    assert open_store(tmp_path).fill(keys, vectors).all()
    assert (vectors == vectors_of(keys)).all()
    assert compact(stores(tmp_path)[0]) == 0


def test_compaction_takes_nothing_from_damaged_or_foreign_files(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    store = open_store(tmp_path)
    truncated, replaced, *_ = sorted(store.segments_folder.glob("*.parquet"))
    truncated.write_bytes(truncated.read_bytes()[:-200])
    other = FeatureStore(tmp_path, OTHER, {})
    keys = read_keys(replaced, FINGERPRINT.to_json().encode(), VectorLayout(6, "float16"))
    other.append(keys, vectors_of(keys) + 1)
    (other.segments_folder / replaced.name).replace(replaced)
    assert compact(store.folder) == 1
    keys = np.sort(keys_of(range(34)))
    vectors = np.zeros((34, FINGERPRINT.dim), np.float16)
    known = open_store(tmp_path).fill(keys, vectors)
    assert 18 <= known.sum() < 34
    assert (vectors[known] == vectors_of(keys[known])).all()


def test_a_reader_opened_before_compaction_loses_nothing_but_time(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    reader = open_store(tmp_path)
    compact(stores(tmp_path)[0])
    keys = np.sort(keys_of(range(42)))
    vectors = np.zeros((42, FINGERPRINT.dim), np.float16)
    known = reader.fill(keys, vectors)
    assert (vectors[known] == vectors_of(keys[known])).all()
    assert open_store(tmp_path).fill(keys, vectors).all()
