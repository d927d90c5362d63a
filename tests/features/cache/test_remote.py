"""Segments on a DVC remote: a teammate's clone finds them without asking."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmrec.features.cache.place import FeatureCache, open_cache
from mmrec.features.cache.store import FeatureStore
from mmrec.features.extractor import Fingerprint
from tests.features.cache.worlds import FINGERPRINT, keys_of, vectors_of


def dvc(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def project(folder: Path, remote: Path) -> Path:
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    dvc(folder, "init", "--quiet")
    dvc(folder, "remote", "add", "--quiet", "--default", "team", str(remote))
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def alice(tmp_path: Path, remote: Path) -> Path:
    return project(tmp_path / "alice", remote)


@pytest.fixture
def bob(tmp_path: Path, remote: Path) -> Path:
    return project(tmp_path / "bob", remote)


def store(cache: FeatureCache, fingerprint: Fingerprint = FINGERPRINT) -> FeatureStore:
    return cache.store(fingerprint, {"torch": "1"})


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmrec.features.cache", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )


def known(cache: FeatureCache, numbers: range) -> int:
    keys = np.sort(keys_of(numbers))
    vectors = np.zeros((len(keys), FINGERPRINT.dim), np.float16)
    found = store(cache).fill(keys, vectors)
    assert (vectors[found] == vectors_of(keys[found])).all()
    return int(found.sum())


def test_the_cache_lies_in_dvcs_cache_folder(alice: Path) -> None:
    assert open_cache(alice).root == alice / ".dvc" / "cache" / "mmrec-features"
    dvc(alice, "cache", "dir", "--local", "../shared")
    assert open_cache(alice).root == alice.parent / "shared" / "mmrec-features"


def test_a_teammate_fetches_the_segments_that_are_asked_for_and_no_others(
    alice: Path, bob: Path
) -> None:
    mine = store(open_cache(alice))
    mine.append(keys_of(range(50)), vectors_of(keys_of(range(50))))
    mine.append(keys_of(range(50, 80)), vectors_of(keys_of(range(50, 80))))
    assert known(open_cache(bob), range(80)) == 0
    done = command(alice, "push")
    assert "2 files pushed" in done.stdout, done.stderr
    assert "0 files pushed" in command(alice, "push").stdout
    assert known(open_cache(bob), range(40, 45)) == 5
    assert len(list(store(open_cache(bob)).segments_folder.glob("*.parquet"))) == 1
    assert known(open_cache(bob), range(100)) == 80


def test_pull_brings_everything(alice: Path, bob: Path) -> None:
    store(open_cache(alice)).append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    command(alice, "push")
    assert "1 files pulled" in command(bob, "pull").stdout
    cache = open_cache(bob)
    assert known(FeatureCache(cache.root, None), range(9)) == 9
    assert "9 vectors in 1 files" in command(bob, "stats").stdout


def test_the_second_level_can_be_switched_off(
    alice: Path, bob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(open_cache(alice)).append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    command(alice, "push")
    monkeypatch.setenv("MMREC_CACHE_REMOTE", "off")
    assert known(open_cache(bob), range(9)) == 0
    monkeypatch.setenv("MMREC_CACHE_REMOTE", "maybe")
    with pytest.raises(ValueError, match="MMREC_CACHE_REMOTE: found 'maybe', allowed: on, off"):
        open_cache(bob)


def test_without_a_project_a_folder_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"no DVC project.*MMREC_CACHE"):
        open_cache(tmp_path)
    monkeypatch.setenv("MMREC_CACHE", str(tmp_path / "here"))
    assert open_cache(tmp_path) == FeatureCache(tmp_path / "here", None)


def test_push_without_a_remote_says_how_to_add_one(tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    dvc(folder, "init", "--quiet")
    done = command(folder, "push")
    assert done.returncode == 1
    assert "dvc remote add --default" in done.stderr


def test_a_segment_that_somebody_deleted_on_the_remote_is_encoded_again(
    alice: Path, bob: Path, remote: Path
) -> None:
    store(open_cache(alice)).append(keys_of(range(9)), vectors_of(keys_of(range(9))))
    command(alice, "push")
    for path in remote.rglob("segments/*.parquet"):
        path.unlink()
    assert known(open_cache(bob), range(9)) == 0
