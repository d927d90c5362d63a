"""Members of a team: make's targets and git, as they are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mmrec.study.workspace import dvc_environment


def make(folder: Path, target: str) -> str:
    """Call make with the environment that runs the tests, however old it is."""
    installed = ("--old-file", f"{sys.prefix}/installed", f"VENV={sys.prefix}")
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
