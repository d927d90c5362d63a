"""Segments as files: what a machine cannot read, and how much of one is read."""

from __future__ import annotations

import errno
import os
import re
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmrec.features.cache.layout import TokenLayout, ValueArray
from mmrec.features.cache.store import FeatureStore
from mmrec.io import open_parquet
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of


def knows_all(store: FeatureStore, numbers: range) -> bool:
    keys = np.sort(keys_of(numbers))
    return bool(store.fill(keys, np.empty((len(keys), FINGERPRINT.dim), np.float16)).all())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("step", ["open", "read"])
def test_a_machine_that_cannot_read_files_ends_the_run_and_spoils_no_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    store = open_store(tmp_path)
    store.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    reader = open_store(tmp_path)
    with monkeypatch.context() as patched:
        if step == "open":
            patched.setattr(pq, "ParquetFile", refuse)
        else:
            patched.setattr(pq.ParquetFile, "read", refuse)
            patched.setattr(pq.ParquetFile, "read_row_group", refuse)
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            knows_all(reader, range(3))
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            open_store(tmp_path)
    assert knows_all(open_store(tmp_path), range(3))


def test_too_many_open_files_are_known_as_such(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append(keys_of(range(3)), vectors_of(keys_of(range(3))))
    (path,) = store.segments_folder.glob("*.parquet")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with path.open() as held:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held.fileno(), limits[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                open_parquet(path)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def token_states(numbers: range) -> ValueArray:
    states = np.empty(len(numbers), object)
    for place, number in enumerate(numbers):
        states[place] = np.full((number % 3, 2), number, np.float16)
    return states


@pytest.mark.parametrize("rows_together", [64, 5])
def test_token_states_are_found_in_segments_of_any_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_together: int
) -> None:
    fingerprint = replace(FINGERPRINT, dim=2)
    keys, states = np.sort(keys_of(range(150))), token_states(range(150))
    with monkeypatch.context() as patched:
        patched.setattr(TokenLayout, "row_group", rows_together)
        FeatureStore(tmp_path, fingerprint, {}, level="tokens").append(keys, states)
    found = np.empty(75, object)
    store = FeatureStore(tmp_path, fingerprint, {}, level="tokens")
    assert store.fill(keys[1::2], found).all()
    for one, expected_one in zip(found, states[1::2], strict=True):
        assert (one == expected_one).all()


def test_of_token_states_little_is_read_besides_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, states = np.sort(keys_of(range(100))), token_states(range(100))
    store = FeatureStore(tmp_path, replace(FINGERPRINT, dim=2), {}, level="tokens")
    store.append(keys, states)
    store.refresh()
    read: list[int] = []
    read_row_group = pq.ParquetFile.read_row_group

    def count(file: pq.ParquetFile, group: int) -> pa.Table:
        table = read_row_group(file, group)
        read.append(table.num_rows)
        return table

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", count)
    assert store.fill(keys[[40, 90]], np.empty(2, object)).all()
    assert sum(read) <= 8
