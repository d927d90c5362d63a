"""`dvc exp run` and `dvc add` as DVC's users do it, on the shipped params and on own files."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml
from ruamel.yaml import YAML

from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.study.workspace import PROJECT, make_workspace
from tests.e2e.small_shop import ran, small_params
from tests.e2e.team import dvc, git, repro


def commit(folder: Path) -> set[str]:
    """Commit everything that git does not ignore; returns the files that git has."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return {*git(folder, "ls-files").splitlines()}


def shown(folder: Path, column: str) -> dict[str, str]:
    """A column of `dvc exp show`, by experiment."""
    rows = csv.DictReader(io.StringIO(dvc(folder, "exp", "show", "--csv")))
    return {row["Experiment"]: row[column] for row in rows if row["Experiment"]}


def differences(shipped: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """What `-S` has to be told to get from one params file to another."""
    yield from (f"~{path}{key}" for key in shipped.keys() - wanted.keys())
    for key, value in wanted.items():
        before = shipped.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            yield from differences(before, value, f"{path}{key}.")
        elif value != before:
            yield f"++{path}{key}={value}"


def test_experiments_on_the_shipped_params_run_are_shown_and_applied(
    projects: list[Path], tmp_path: Path
) -> None:
    git(projects[1], "clone", "--quiet", str(projects[1]), str(tmp_path / "bob"))
    bob, cache = tmp_path / "bob", projects[1] / ".dvc" / "cache"
    dvc(bob, "cache", "dir", "--local", str(cache))
    dvc(bob, "checkout")
    # The shipped text as DVC rewrites it for a smaller shop; no stage sees another value.
    params = bob / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", params)
    apply_overrides(params, [*differences(load_yaml(str(params)), small_params())])
    assert load_yaml(str(params)) == small_params()
    git(bob, "commit", "--quiet", "--all", "--message", "as DVC writes it")
    output = dvc(bob, "exp", "run", "--name", "here", "-S", "report.title=My shop")
    assert ran(output) == {"report"}
    assert load_params(params).report.title == "My shop"
    dvc(bob, "exp", "run", "--queue", "-S", "report.num_sample_users=1")
    dvc(bob, "exp", "run", "--run-all")
    found = shown(bob, "report.num_sample_users")
    assert sorted(found.values()) == ["1", "6"]
    dvc(bob, "exp", "apply", next(name for name, users in found.items() if users == "1"))
    assert load_params(params).report.num_sample_users == 1
    assert ran(repro(bob)) == set()
    # From `none`, which git has there, too.
    faster = ("-S", "models.sasrec.finetune.epochs=1", "finetune@demo-sasrec")
    assert ran(dvc(bob, "exp", "run", "--temp", *faster)) == {"code", "finetune@demo-sasrec"}


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
