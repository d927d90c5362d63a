"""Pruning: what is referred to stays, whoever refers to it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import zlib
from dataclasses import asdict
from pathlib import Path

import pytest

from mmrec.features.cache.maintenance import stores
from mmrec.features.cache.place import open_cache
from mmrec.features.cache.pruning import dead_stores, live_stores, remove, sweep
from mmrec.features.cache.store import DESCRIPTION, FeatureStore, store_name
from mmrec.features.contract import Fingerprint
from mmrec.io import DataError
from tests.features.cache.teams import command, encode, make_project
from tests.features.cache.worlds import FINGERPRINT

OTHER, THIRD = (Fingerprint(**{**asdict(FINGERPRINT), "version": n}) for n in (2, 3))


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def describe(project: Path, fingerprint: Fingerprint, name: str = "features/text.json") -> None:
    path = project / "data" / "datasets" / "shop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"stores": [store_name(fingerprint)], "rows": 1}))


def commit(project: Path, fingerprint: Fingerprint) -> None:
    describe(project, fingerprint)
    git(project, "add", ".")
    git(project, "commit", "--quiet", "-m", "any")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Its main branch refers to the first of three stores."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, FINGERPRINT)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for fingerprint in (FINGERPRINT, OTHER, THIRD):
        FeatureStore(tmp_path / "cache", fingerprint, {})
    return tmp_path / "cache"


def test_pruning_keeps_what_any_branch_or_the_working_tree_refers_to(
    project: Path, root: Path
) -> None:
    git(project, "checkout", "--quiet", "-b", "trial")
    commit(project, OTHER)
    git(project, "checkout", "--quiet", "main")
    (dead,) = dead_stores(root, live_stores(project), idle_days=0)
    assert dead.name == store_name(THIRD)
    describe(project, THIRD, "keywords.json")
    assert dead_stores(root, live_stores(project), idle_days=0) == []
    remove(dead)
    assert len(stores(root)) == 2


def test_pruning_keeps_what_a_branch_merged_without_its_changes_refers_to(project: Path) -> None:
    git(project, "checkout", "--quiet", "-b", "trial")
    commit(project, OTHER)
    git(project, "checkout", "--quiet", "main")
    commit(project, THIRD)
    git(project, "merge", "--quiet", "--strategy=ours", "-m", "merged", "trial")
    git(project, "branch", "--quiet", "-D", "trial")
    assert live_stores(project) == {store_name(one) for one in (FINGERPRINT, OTHER, THIRD)}


def test_pruning_keeps_what_only_the_resolution_of_a_merge_refers_to(project: Path) -> None:
    git(project, "checkout", "--quiet", "-b", "trial")
    git(project, "commit", "--quiet", "--allow-empty", "-m", "any")
    git(project, "checkout", "--quiet", "main")
    git(project, "merge", "--quiet", "--no-ff", "--no-commit", "trial")
    commit(project, OTHER)
    describe(project, THIRD)
    assert store_name(OTHER) in live_stores(project)


def test_pruning_without_all_of_the_history_is_refused(project: Path) -> None:
    (blob,) = (
        path
        for path in (project / ".git" / "objects").glob("??/*")
        if b"stores" in zlib.decompress(path.read_bytes())
    )
    blob.unlink()
    with pytest.raises(DataError, match="git has not all of its history"):
        live_stores(project)


def test_pruning_needs_the_history(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="git failed"):
        live_stores(tmp_path)


@pytest.mark.parametrize("younger", ["segments", DESCRIPTION, "segments/any.parquet"])
def test_a_store_that_was_added_to_of_late_is_kept_though_nothing_here_refers_to_it(
    root: Path, younger: str
) -> None:
    store = root / store_name(OTHER)
    (store / "segments" / "any.parquet").touch()
    for path in (store / "segments" / "any.parquet", store / "segments", store / DESCRIPTION):
        os.utime(path, (time.time() - 8 * 86_400,) * 2)
    live = {store_name(FINGERPRINT), store_name(THIRD)}
    assert dead_stores(root, live, idle_days=7) == [store]
    os.utime(store / younger, (time.time() - 6 * 86_400,) * 2)
    assert dead_stores(root, live, idle_days=7) == []


def test_a_deletion_that_was_cut_off_is_completed_and_the_store_is_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(folder: Path) -> None:
        (folder / "segments").rmdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            remove(root / store_name(OTHER))
    assert len(stores(root)) == 2
    assert len(list(root.iterdir())) == 3
    sweep(root)
    assert len(list(root.iterdir())) == 2


def test_the_command_keeps_what_is_new_and_deletes_what_is_not_and_what_was_left(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path / "project")
    cache = open_cache(project)
    encode(cache, range(3))
    (cache.root / ".deleted-x" / "segments").mkdir(parents=True)
    assert "added to within 7 days" in command(project, "prune", "--delete").stdout
    assert [path.name for path in cache.root.iterdir()] == [store_name(FINGERPRINT)]
    assert "nothing refers to it" in command(project, "prune", "--idle-days", "0").stdout
    assert "deleted" in command(project, "prune", "--idle-days", "0", "--delete").stdout
    assert list(cache.root.iterdir()) == []
