"""Interpreters for tests that run the project's modules and DVC: real ones, and forks of one."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from mmrec.study.workspace import dvc_environment
from tests import forks

ONE_CORE = {"OMP_NUM_THREADS": "1"}
REAL = Path(sys.prefix)
"""The environment that runs the tests: its interpreters start as the user's do."""

_SHARED = "MMREC_TESTS_FORKING"


@cache
def forking() -> Path:
    """An environment whose `python -m …`, `dvc` and `mmrec` are forks of one process.

    It is there as long as the process that asked first; processes started by that share it.
    """
    if _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    folder = Path(mkdtemp())
    (folder / "bin").mkdir()
    (folder / "installed").touch()
    for name, module in (("python", ""), ("dvc", "-m dvc"), ("mmrec", "-m mmrec")):
        command = f'{sys.executable} -IS {forks.__file__} call {folder}/socket {module} "$@"'
        script = folder / "bin" / name
        script.write_text(f"#!/bin/sh\nexec {command}\n")
        script.chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, "-P", forks.__file__, "serve", f"{folder}/socket"],
        env=outside | threads(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"listening\n"
    os.environ[_SHARED] = str(folder)
    return folder


def forking_environment() -> dict[str, str]:
    """That of DVC's users, with interpreters that fork."""
    users = dvc_environment()
    return {**users, **threads(), "PATH": f"{forking() / 'bin'}{os.pathsep}{users['PATH']}"}


def threads() -> dict[str, str]:
    """What the environment says of threads; of one for each interpreter that forks."""
    said = {name: text for name, text in os.environ.items() if name.startswith(("OMP_", "GOMP_"))}
    return said | ONE_CORE
