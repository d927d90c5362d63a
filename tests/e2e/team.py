"""Members of a team: make's targets, dvc and git, as they are called."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path

from mmrec.study import workspace
from mmrec.study.workspace import dvc_environment
from tests.interpreters import forking, forking_environment


def repro(folder: Path, *arguments: str) -> str:
    return workspace.repro(folder, *arguments, env=forking_environment())


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, "dvc", *arguments)


def run(folder: Path, *module: str) -> str:
    """Run a module of the project or of the environment; what it printed."""
    done = subprocess.run(
        ["python", "-m", *module],
        cwd=folder,
        env=forking_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(folder: Path, target: str, venv: Path | None = None) -> str:
    """Call make with an environment that is there, however old it is; one that forks if None."""
    environment = dvc_environment() if venv else forking_environment()
    venv = venv or forking()
    installed = ("--old-file", f"{venv}/installed", f"VENV={venv}")
    done = subprocess.run(
        ["make", *installed, target],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> set[str]:
    """Commit everything that git does not ignore; returns the files that git has."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return {*git(folder, "ls-files").splitlines()}


def shown(folder: Path, column: str) -> dict[str, str]:
    """A column of `dvc exp show`, by experiment."""
    rows = csv.DictReader(io.StringIO(dvc(folder, "exp", "show", "--csv")))
    return {row["Experiment"]: row[column] for row in rows if row["Experiment"]}
