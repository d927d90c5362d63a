"""Statistics and compaction."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrec.features.cache.layout import VectorLayout
from mmrec.features.cache.maintenance import (
    compact,
    stats,
    stores,
)
from mmrec.features.cache.place import open_cache
from mmrec.features.cache.segments import KeyArray, read_keys, segment_files, write_segment
from mmrec.features.cache.store import DESCRIPTION, FeatureStore
from mmrec.features.contract import Fingerprint
from tests.features.cache.teams import FolderTeam, command, encode, make_project
from tests.features.cache.worlds import FINGERPRINT, keys_of, open_store, vectors_of

OTHER = Fingerprint(**{**asdict(FINGERPRINT), "version": 2})


def fill(root: Path, pieces: int) -> None:
    for piece in range(pieces):
        numbers = range(piece * 8, piece * 8 + 10)  # two of each piece are in the next one, too
        open_store(root).append(keys_of(numbers), vectors_of(keys_of(numbers)))


def check_all(root: Path, numbers: range) -> None:
    keys = np.sort(keys_of(numbers))
    vectors = np.zeros((len(keys), FINGERPRINT.dim), np.float16)
    assert open_store(root).fill(keys, vectors).all()
    assert (vectors == vectors_of(keys)).all()


def test_stats_say_what_is_held_for_what(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (found,) = stats(tmp_path)
    assert (found.num_segments, found.num_rows) == (3, 30)
    assert found.fingerprint == FINGERPRINT
    assert found.libraries == {"torch": "1"}
    assert found.num_bytes > 30 * (16 + 12)


def test_compaction_keeps_every_vector_once(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    assert compact(stores(tmp_path)[0]) == 4
    (found,) = stats(tmp_path)
    assert (found.num_segments, found.num_rows) == (1, 42)
    check_all(tmp_path, range(42))
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
    assert reader.fill(keys, vectors).all()
    assert (vectors == vectors_of(keys)).all()


def test_a_reader_that_is_opened_during_compaction_finds_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 5)
    listed = segment_files(open_store(tmp_path).segments_folder)
    compact(stores(tmp_path)[0])
    answers = [listed]

    def list_late(folder: Path) -> list[Path]:
        return answers.pop() if answers else segment_files(folder)

    monkeypatch.setattr("mmrec.features.cache.store.segment_files", list_late)
    check_all(tmp_path, range(42))
    assert not answers


def test_compaction_holds_no_more_than_so_many_bytes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 6)
    (found,) = stats(tmp_path)
    held: list[int] = []

    def write(folder: Path, keys: KeyArray, *arguments: Any) -> str:
        held.append(len(keys))
        return write_segment(folder, keys, *arguments)

    monkeypatch.setattr("mmrec.features.cache.maintenance.write_segment", write)
    monkeypatch.setattr("mmrec.features.cache.maintenance._BYTES_AT_ONCE", found.num_bytes // 2 + 9)
    assert compact(stores(tmp_path)[0]) == 4
    assert max(held) <= 30
    check_all(tmp_path, range(50))


def test_compaction_joins_up_to_large_segments_and_leaves_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 7)
    monkeypatch.setattr(VectorLayout, "segment_rows", 32)
    assert compact(stores(tmp_path)[0]) == 4
    assert compact(stores(tmp_path)[0]) == 0
    check_all(tmp_path, range(58))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fingerprint": {"dim": 1}, "libraries": {}}'])
def test_a_store_of_another_time_stops_no_command_on_the_others(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project(tmp_path / "project", FolderTeam(tmp_path / "remote").join)
    cache = open_cache(project)
    encode(cache, range(3), range(3, 5))
    old = cache.root / "another-time" / DESCRIPTION
    old.parent.mkdir()
    old.write_text(text)
    assert [found.num_rows for found in stats(cache.root)] == [5]
    assert str(old) in caplog.text
    for arguments, done in ((["push"], "2 files pushed"), (["compact"], "1 files fewer")):
        ran = command(project, *arguments)
        assert ran.returncode == 0
        assert done in ran.stdout
        assert "another-time: left out" in ran.stderr


def test_stats_name_what_is_damaged_and_count_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, 3)
    damaged = segment_files(open_store(tmp_path).segments_folder)[0]
    damaged.write_bytes(damaged.read_bytes()[:-200])
    (found,) = stats(tmp_path)
    assert (found.num_segments, found.num_rows) == (2, 20)
    assert damaged.name in caplog.text
