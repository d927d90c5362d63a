"""`dvc add` and `dvc exp run` as DVC's users do it, on own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mmrec.paths import Paths
from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.small_shop import text_of
from tests.e2e.team import commit, dvc, git, repro, shown


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A project with a sequence file of one's own, and of the example's runs one."""
    params = YAML(typ="safe").load((PROJECT / "examples" / "sequences.yaml").read_text())
    for section, kept in (("datasets", "beauty"), ("models", "sasrec"), ("runs", "beauty-sasrec")):
        params[section] = {kept: params[section][kept]}
    folder = make_workspace(tmp_path / "own", text_of(params), {})
    source = folder / "data" / "sources" / "sequences"
    source.mkdir(parents=True)
    lines = [f"u{u} " + " ".join(f"i{(u * k) % 29}" for k in range(1, 9)) for u in range(1, 60)]
    (source / "Beauty.txt").write_text("\n".join(lines) + "\n")
    return folder


def users(folder: Path) -> Any:
    summary = Paths(folder).dataset("beauty").clean_summary
    return YAML(typ="safe").load(summary.read_text())["steps"][-1]["users"]


def test_own_files_are_versioned_by_dvc_and_never_by_git(own: Path, tmp_path: Path) -> None:
    assert not any("Beauty" in name for name in commit(own))
    dvc(own, "add", "data/sources/sequences")
    repro(own, "clean@beauty")
    files = commit(own)
    assert "data/sources/sequences.dvc" in files
    assert not any("Beauty" in name for name in files)
    dvc(own, "exp", "run", "--queue", "-S", "datasets.beauty.clean.user_core=0,6", "clean@beauty")
    dvc(own, "exp", "run", "--run-all")
    found = shown(own, "datasets.beauty.clean.user_core")
    assert sorted(found.values()) == ["0", "6"]
    dvc(own, "remote", "add", "--default", "team", str(tmp_path / "remote"))
    commit(own)
    dvc(own, "push")
    git(own, "clone", "--quiet", str(own), str(tmp_path / "bob"))
    bob = tmp_path / "bob"
    assert "Running" not in repro(bob, "--pull", "clean@beauty")
    texts = [f / "data" / "sources" / "sequences" / "Beauty.txt" for f in (bob, own)]
    assert texts[0].read_bytes() == texts[1].read_bytes()
    assert users(bob) == users(own)


def test_without_dvc_add_others_and_experiments_take_what_was_crawled(
    own: Path, tmp_path: Path
) -> None:
    repro(own, "clean@beauty")
    dvc(own, "remote", "add", "--default", "team", str(tmp_path / "remote"))
    assert not any("Beauty" in name for name in commit(own))
    dvc(own, "push")
    git(own, "clone", "--quiet", str(own), str(tmp_path / "bob"))
    assert not (tmp_path / "bob" / "data" / "sources" / "sequences").exists()
    assert "Running" not in repro(tmp_path / "bob", "--pull", "clean@beauty")
    assert users(tmp_path / "bob") == users(own)
    change = ("-S", "datasets.beauty.clean.item_core=0", "clean@beauty")
    dvc(own, "exp", "run", "--temp", "--name", "beside", "--allow-missing", *change)
    assert shown(own, "datasets.beauty.clean.item_core") == {"beside": "0"}
    assert "Running" not in repro(tmp_path / "bob", "--allow-missing", "clean@beauty")
