"""What a newcomer meets where DVC cannot work yet, by make's own recipes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmrec.project import ProjectError, check_project

ROOT = Path(__file__).parents[1]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """The project without its git repository."""
    for name in ("Makefile", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", tmp_path / ".dvc" / "config")
    return tmp_path


def make(folder: Path, target: str) -> str:
    installed = ("--old-file", f"{sys.prefix}/installed", f"VENV={sys.prefix}")
    done = subprocess.run(
        ["make", *installed, target],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["repro", "share", "fetch"])
def test_without_git_make_says_what_to_do_and_that_helps(unpacked: Path, target: str) -> None:
    said = make(unpacked, target)
    assert "is in no git repository" in said
    assert "Traceback" not in said
    command = "dvc config --local core.no_scm true"
    assert command in said
    subprocess.run([sys.executable, "-m", *command.split()], cwd=unpacked, check=True)
    check_project(unpacked, with_remote=False)
    with pytest.raises(ProjectError, match="no DVC remote is set"):
        check_project(unpacked, with_remote=True)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", ["share", "fetch"])
def test_without_a_remote_make_says_how_to_set_one_and_runs_nothing(
    unpacked: Path, target: str
) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=unpacked, check=True)
    said = make(unpacked, target)
    assert "error: no DVC remote is set" in said
    assert "dvc remote add --default team" in said
    assert "Running stage" not in said
    assert sorted(path.name for path in unpacked.iterdir()) == [
        ".dvc",
        ".git",
        "Makefile",
        "dvc.yaml",
        "params.yaml",
    ]
    command = ["dvc", "remote", "add", "--default", "team", str(unpacked / "remote")]
    subprocess.run([sys.executable, "-m", *command], cwd=unpacked, check=True)
    check_project(unpacked, with_remote=True)


def test_another_folder_is_no_project(unpacked: Path) -> None:
    with pytest.raises(ProjectError, match=r"no dvc\.yaml with \.dvc beside it"):
        check_project(unpacked / ".dvc", with_remote=False)


def test_a_config_that_dvc_cannot_read_is_named(unpacked: Path) -> None:
    (unpacked / ".dvc" / "config").write_text("[core\n")
    with pytest.raises(ProjectError, match=r"\.dvc: .*mend the file"):
        check_project(unpacked, with_remote=False)
