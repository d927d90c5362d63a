"""Pruning: what is referred to stays, whoever refers to it."""

from __future__ import annotations

import json
import subprocess
import zlib
from dataclasses import asdict
from pathlib import Path

import pytest

from mmrec.features.cache.maintenance import stores
from mmrec.features.cache.pruning import dead_stores, live_stores, remove
from mmrec.features.cache.store import FeatureStore, store_name
from mmrec.features.extractor import Fingerprint
from mmrec.io import DataError
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
    (dead,) = dead_stores(root, live_stores(project))
    assert dead.name == store_name(THIRD)
    describe(project, THIRD, "keywords.json")
    assert dead_stores(root, live_stores(project)) == []
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
