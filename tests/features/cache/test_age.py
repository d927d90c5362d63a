"""Ages do not depend on the clock of the machine that asks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mmrec.features.cache.age import now, remove_abandoned
from mmrec.features.cache.pruning import dead_stores
from tests.features.cache.worlds import open_store


@pytest.fixture(params=[-1e8, 1e8], ids=["behind", "ahead"])
def wrong_clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes it to be years away from the time at which files are dated."""
    wrong = time.time() + request.param
    monkeypatch.setattr(time, "time", lambda: wrong)
    monkeypatch.setattr(time, "time_ns", lambda: int(wrong * 1e9))


@pytest.mark.usefixtures("wrong_clock")
def test_what_another_is_writing_stays_and_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    alive, left = tmp_path / ".a.parquet.1.tmp", tmp_path / ".b.parquet.2.tmp"
    alive.touch()
    left.touch()
    os.utime(left, (left.stat().st_mtime - 2 * 3600,) * 2)
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [alive]


@pytest.mark.usefixtures("wrong_clock")
def test_a_store_that_was_added_to_lately_is_not_dead(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert dead_stores(tmp_path, [], idle_days=7) == []
    for path in (store.folder / "fingerprint.json", store.segments_folder):
        os.utime(path, (path.stat().st_mtime - 8 * 86_400,) * 2)
    assert dead_stores(tmp_path, [], idle_days=7) == [store.folder]


def test_asking_leaves_nothing(tmp_path: Path) -> None:
    assert abs(now(tmp_path) - time.time()) < 60
    assert list(tmp_path.iterdir()) == []
