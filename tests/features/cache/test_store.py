"""The store: what goes in comes out, whatever happened to its files in between."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrec.features.cache.layout import ValueArray
from mmrec.features.cache.segments import KeyArray
from mmrec.features.cache.store import DESCRIPTION, FeatureStore
from mmrec.features.contract import Fingerprint
from mmrec.io import read_json
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of


def filled(store: FeatureStore, numbers: range) -> tuple[np.ndarray, ValueArray]:
    keys = np.sort(keys_of(numbers))
    vectors = np.full((len(keys), FINGERPRINT.dim), -1, np.float16)
    return store.fill(keys, vectors), vectors


def expected(numbers: range) -> ValueArray:
    keys = keys_of(numbers)
    return vectors_of(keys[np.argsort(keys)])


def test_what_was_appended_is_found_by_another_process(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append(keys_of(range(10)), vectors_of(keys_of(range(10))))
    store.append(keys_of(range(10, 9_000)), vectors_of(keys_of(range(10, 9_000))))
    known, vectors = filled(open_store(tmp_path), range(9_000))
    assert known.all()
    assert (vectors == expected(range(9_000))).all()


def test_unknown_keys_are_said_and_their_rows_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append(keys_of(range(5)), vectors_of(keys_of(range(5))))
    known, vectors = filled(open_store(tmp_path), range(8))
    assert known.sum() == 5
    assert (vectors[~known] == -1).all()


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 40), min_size=1, unique=True), min_size=1, max_size=6))
def test_any_order_of_segments_with_repeats_gives_every_key_its_vector(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    for group in groups:
        open_store(folder).append(keys_of(group), vectors_of(keys_of(group)))
    known, vectors = filled(open_store(folder), range(41))
    held = np.isin(np.sort(keys_of(range(41))), keys_of({n for group in groups for n in group}))
    assert (known == held).all()
    assert (vectors[known] == expected(range(41))[known]).all()


def test_fingerprints_do_not_mix(tmp_path: Path) -> None:
    open_store(tmp_path).append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    other = FeatureStore(tmp_path, FINGERPRINT.kept_as("float32"), {})
    keys = np.sort(keys_of(range(3)))
    assert not other.fill(keys, np.empty((3, FINGERPRINT.dim), np.float32)).any()


def test_the_store_says_what_it_holds(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    described = read_json(store.folder / DESCRIPTION)
    assert Fingerprint(**described["fingerprint"]) == FINGERPRINT
    assert described["libraries"] == {"torch": "1"}


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def flip_a_bit_of_a_vector(path: Path) -> None:
    data = bytearray(path.read_bytes())
    needle = vectors_of(keys_of([7])).tobytes()
    data[data.index(needle) + 3] ^= 1
    path.write_bytes(bytes(data))


def replace_by_text(path: Path) -> None:
    path.write_text("not a segment")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit_of_a_vector, replace_by_text])
def test_a_damaged_segment_is_named_set_aside_and_its_contents_are_unknown(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path)
    store.append(keys_of(range(5, 9)), vectors_of(keys_of(range(5, 9))))
    (path,) = store.segments_folder.glob("*.parquet")
    store.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    assert callable(damage)
    damage(path)
    with caplog.at_level(logging.WARNING):
        known, vectors = filled(open_store(tmp_path), range(9))
    assert known.sum() == 3
    assert (vectors[known] == expected(range(9))[known]).all()
    assert path.name in caplog.text
    assert (store.folder / "damaged" / path.name).is_file()
    assert not path.exists()


def test_a_segment_of_another_fingerprint_is_foreign(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    other = FeatureStore(tmp_path, Fingerprint(**{**vars(FINGERPRINT), "version": 2}), {})
    other.append(keys_of(range(3)), vectors_of(keys_of(range(3))) + 1)
    (path,) = other.segments_folder.glob("*.parquet")
    (store.segments_folder / path.name).write_bytes(path.read_bytes())
    known, _ = filled(open_store(tmp_path), range(3))
    assert not known.any()
    assert (store.folder / "damaged" / path.name).is_file()


def test_a_segment_that_was_replaced_since_it_was_indexed_gives_none_of_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    store = open_store(tmp_path)
    store.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    assert filled(open_store(tmp_path), range(3))[0].all()
    other = FeatureStore(tmp_path, Fingerprint(**{**vars(FINGERPRINT), "version": 2}), {})
    other.append(keys_of(range(3)), vectors_of(keys_of(range(3))) + 1)
    (foreign,) = other.segments_folder.glob("*.parquet")
    foreign.replace(store.segments_folder / foreign.name)
    assert not filled(open_store(tmp_path), range(3))[0].any()
    assert (store.folder / "damaged" / foreign.name).is_file()


@pytest.mark.parametrize(
    "spoil", [lambda rows: rows[::-1], lambda rows: rows + 1_000, lambda rows: rows[:3]]
)
def test_an_index_that_leads_elsewhere_gives_no_wrong_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    store = open_store(tmp_path)
    store.append(keys_of(range(30)), vectors_of(keys_of(range(30))))
    (rows,) = (open_store(tmp_path).folder / "index").glob("*.rows.npy")
    np.save(rows, spoil(np.load(rows)))
    known, vectors = filled(open_store(tmp_path), range(30))
    assert (vectors[known] == expected(range(30))[known]).all()
    store.append(keys_of(range(30)), vectors_of(keys_of(range(30))))
    assert filled(open_store(tmp_path), range(30))[0].all()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"fingerprint": 1, "libraries": {}}'])
def test_a_description_that_is_damaged_or_foreign_is_written_again(
    tmp_path: Path, text: str
) -> None:
    store = open_store(tmp_path)
    store.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    (store.folder / DESCRIPTION).write_text(text)
    assert filled(open_store(tmp_path), range(3))[0].all()
    assert Fingerprint(**read_json(store.folder / DESCRIPTION)["fingerprint"]) == FINGERPRINT


def test_an_index_is_kept_used_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 8)
    for start in range(0, 60, 10):
        numbers = range(start, start + 10)
        open_store(tmp_path).append(keys_of(numbers), vectors_of(keys_of(numbers)))
        known, vectors = filled(open_store(tmp_path), range(60))
        assert known.sum() == start + 10
        assert (vectors[known] == expected(range(60))[known]).all()
    kept = list((open_store(tmp_path).folder / "index").glob("*.json"))
    assert len(kept) == 1
    assert len(read_json(kept[0])["segments"]) == 6


@pytest.mark.parametrize("length", [0, 5, 200])
def test_a_damaged_index_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    open_store(tmp_path).append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    index = open_store(tmp_path).folder / "index"
    for path in index.glob("*.keys.npy"):
        path.write_bytes(path.read_bytes()[:length])
    known, _ = filled(open_store(tmp_path), range(9))
    assert known.all()


def test_a_pruned_segment_makes_its_keys_unknown_even_if_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    store = open_store(tmp_path)
    store.append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    reader = open_store(tmp_path)
    for path in store.segments_folder.glob("*.parquet"):
        path.unlink()
    assert not filled(reader, range(9))[0].any()
    assert not filled(open_store(tmp_path), range(9))[0].any()


def test_keys_that_end_in_zero_bytes_are_keys(tmp_path: Path) -> None:
    keys: KeyArray = np.frombuffer(b"a" * 15 + b"\0" + b"b" * 14 + b"\0\0", "S16")
    open_store(tmp_path).append(keys, vectors_of(keys))
    vectors = np.zeros((2, FINGERPRINT.dim), np.float16)
    assert open_store(tmp_path).fill(keys, vectors).all()
    assert (vectors == vectors_of(keys)).all()


def test_an_index_that_cannot_be_kept_costs_time_and_no_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mmrec.features.cache.index._SMALLEST_KEPT", 1)
    store = open_store(tmp_path)
    (store.folder / "index").write_text("no folder")
    store.append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    assert filled(open_store(tmp_path), range(9))[0].all()
    assert "the index of the cache is not kept" in caplog.text
