"""A second copy of the project with its own params: experiments beside one's own work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
RESULTS = ("data/datasets/", "data/runs/", "data/pretraining_histories/")
NO_RESULTS = {"data/pretraining_histories/none.csv"}
"""Of the pre-training that there is none of: it comes with the project."""


def make_workspace(
    folder: Path,
    params: str,
    sources: Mapping[str, Path],
    *,
    encoders: Mapping[str, Path] | None = None,
    cache: Path | None = None,
) -> Path:
    """Copy the project's own files to `folder`, with other params and no results.

    Args:
        folder: made if missing; an existing workspace keeps its results and gets the
            code and params of now.
        params: text of its `params.yaml`.
        sources: folders that appear as `data/sources/<name>`.
        encoders: folders that appear as `data/encoders/<name>`; none by default.
        cache: DVC cache to share; a cache of its own if None.
    """
    listing = _git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listing.split("\0")):
        results = name.startswith(RESULTS) and name not in NO_RESULTS
        if results or name in {"dvc.lock", "params.yaml"}:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).is_file():
            shutil.copy2(PROJECT / name, target)
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    _link(folder / "data" / "sources", sources)
    _link(folder / "data" / "encoders", encoders or {})
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet")
    if cache is not None:
        _dvc(folder, "cache", "dir", "--local", str(cache.resolve()))
    return folder


def _link(parent: Path, folders: Mapping[str, Path]) -> None:
    for name, source in folders.items():
        link = parent / name
        if link.is_dir() and not link.is_symlink():
            continue  # it comes with the project, and was copied
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(source.resolve(), target_is_directory=True)


def repro(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run `dvc repro` in a workspace and return what it printed.

    Raises:
        RuntimeError: a stage failed; the message ends with its last lines.
    """
    return _dvc(folder, "repro", *arguments, env=env)


def stream(folder: Path, *arguments: str) -> None:
    """Run the interpreter with `arguments` in a workspace, its output on this terminal."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=dvc_environment(), check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


def dvc_environment() -> dict[str, str]:
    """This process's environment, with its own interpreter first for `python -m stages.…`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    # Stages find the modules of the folder they run in, not those of an installed project.
    return {**os.environ, "PATH": path, "PYTHONPATH": ".", "DVC_NO_ANALYTICS": "1"}


def _dvc(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        ["python", "-m", "dvc", *arguments],  # the one that runs the stages
        cwd=folder,
        env={**dvc_environment(), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise RuntimeError(f"dvc {' '.join(arguments)} failed in {folder}:\n{tail}")
    return done.stdout


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
