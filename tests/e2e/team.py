"""Members of a team: make's targets, dvc and git, as they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from benchmarks import workspace
from benchmarks.workspace import dvc_environment
from tests.e2e import forks

ONE_CORE = {"OMP_NUM_THREADS": "1"}
REAL = Path(sys.prefix)
"""The environment that runs the tests: its interpreters start as the user's do."""


@cache
def forking() -> Path:
    """An environment whose `python -m …` and `dvc` are forks, as long as this process lives."""
    folder = Path(mkdtemp())
    (folder / "bin").mkdir()
    for name, module in (("python", ""), ("dvc", "-m dvc")):
        command = f'{sys.executable} -IS {forks.__file__} call {folder}/socket {module} "$@"'
        script = folder / "bin" / name
        script.write_text(f"#!/bin/sh\nexec {command}\n")
        script.chmod(0o755)
    (folder / "installed").touch()
    environ = {**os.environ, **ONE_CORE}
    started = subprocess.Popen(
        [sys.executable, "-P", forks.__file__, "serve", f"{folder}/socket"],
        env={name: value for name, value in environ.items() if name != "PYTHONPATH"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return folder


def environment() -> dict[str, str]:
    """As DVC's users have it, with interpreters that fork."""
    path = dvc_environment()["PATH"]
    return {**dvc_environment(), **ONE_CORE, "PATH": f"{forking() / 'bin'}{os.pathsep}{path}"}


def repro(folder: Path, *arguments: str) -> str:
    return workspace.repro(folder, *arguments, env=environment())


def dvc(folder: Path, *arguments: str) -> str:
    return run(folder, "dvc", *arguments)


def run(folder: Path, *module: str) -> str:
    """Run a module of the project or of the environment; what it printed."""
    done = subprocess.run(
        ["python", "-m", *module],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(folder: Path, target: str, venv: Path | None = None) -> str:
    """Call make with an environment that is there, however old it is; one that forks if None."""
    venv = venv or forking()
    installed = ("--old-file", f"{venv}/installed", f"VENV={venv}")
    done = subprocess.run(
        ["make", *installed, target],
        cwd=folder,
        env=dvc_environment(),
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
