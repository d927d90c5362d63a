"""`dvc exp run` and `dvc add` as DVC's users do it, on the shipped params and on own files."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from benchmarks.workspace import PROJECT, dvc_environment, make_workspace, repro
from mmrec.params.file import load_params
from mmrec.paths import Paths
from tests.e2e.team import git

SMALL = ("-S", "datasets.demo.source.num_items=60", "-S", "datasets.demo.source.num_users=60")


def dvc(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=dvc_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(folder: Path) -> set[str]:
    """Commit everything that git does not ignore; returns the files that git has."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return {*git(folder, "ls-files").splitlines()}


def shown(folder: Path, column: str) -> dict[str, str]:
    """A column of `dvc exp show`, by experiment."""
    rows = csv.DictReader(io.StringIO(dvc(folder, "exp", "show", "--csv")))
    return {row["Experiment"]: row[column] for row in rows if row["Experiment"]}


def test_experiments_on_the_shipped_params_run_are_shown_and_applied(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path, (PROJECT / "params.yaml").read_text(), {})
    commit(folder)
    dvc(folder, "exp", "run", "--name", "here", *SMALL, "crawl@demo")
    assert load_params(folder / "params.yaml").datasets["demo"].source.num_items == 60
    dvc(folder, "exp", "run", "--queue", "-S", "datasets.demo.source.seed=1,2", "crawl@demo")
    dvc(folder, "exp", "run", "--run-all")
    column = "datasets.demo.source.seed"
    found = shown(folder, column)
    assert sorted(found.values()) == ["1", "2", "7"]
    one = next(name for name, seed in found.items() if seed == "1")
    dvc(folder, "exp", "apply", one)
    assert load_params(folder / "params.yaml").datasets["demo"].source.seed == 1
    assert "crawl@demo" not in repro(folder, "crawl@demo").replace("didn't change", "")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A project with a sequence file of one's own."""
    folder = make_workspace(tmp_path / "own", (PROJECT / "examples/sequences.yaml").read_text(), {})
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
    assert sorted(found.values()) == ["0", "5", "6"]
    dvc(own, "remote", "add", "--default", "team", str(tmp_path / "remote"))
    commit(own)
    dvc(own, "push")
    git(own, "clone", "--quiet", str(own), str(tmp_path / "bob"))
    bob = tmp_path / "bob"
    assert "Running" not in repro(bob, "--pull", "clean@beauty")
    texts = [f / "data" / "sources" / "sequences" / "Beauty.txt" for f in (bob, own)]
    assert texts[0].read_bytes() == texts[1].read_bytes()
    assert users(bob) == users(own)


def test_without_dvc_add_experiments_beside_the_workspace_take_what_was_crawled(own: Path) -> None:
    repro(own, "clean@beauty")
    assert not any("Beauty" in name for name in commit(own))
    change = ("-S", "datasets.beauty.clean.item_core=0", "clean@beauty")
    dvc(own, "exp", "run", "--temp", "--name", "beside", "--allow-missing", *change)
    dvc(own, "exp", "apply", "beside")
    assert load_params(own / "params.yaml").datasets["beauty"].clean.item_core == 0
    shutil.rmtree(own / "data" / "sources" / "sequences")
    assert "Running" not in repro(own, "--allow-missing", "clean@beauty")
