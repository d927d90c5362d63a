"""The project in a folder: git, DVC, params.yaml, and whether its results are of now."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrec.doctor.finding import Finding, ok
from mmrec.doctor.models import of_encoders
from mmrec.doctor.storage import of_folders, of_remote, of_space
from mmrec.params.file import ParamsError, load_params
from mmrec.params.pipeline import Params
from mmrec.params.protocol import contradictions
from mmrec.paths import Paths
from mmrec.project import ProjectError, check_project


def of_project(project: Path) -> Iterator[Finding]:
    """Everything about the project in a folder."""
    paths = Paths(project)
    if shutil.which("git") is None:
        yield Finding("git", "wrong", "not on PATH", "install git")
        return
    try:
        check_project(project, with_remote=False)
    except ProjectError as error:
        yield Finding("project", "wrong", str(error), "cd to the project; see the message")
        return
    yield ok("git", f"{project.absolute()} is in a repository")
    yield from _of_params(paths)
    yield from _of_dvc(paths)


def _of_params(paths: Paths) -> Iterator[Finding]:
    try:
        params: Params = load_params(paths.params)
    except ParamsError as error:
        yield Finding("params.yaml", "wrong", str(error), "correct it; `mmrec check` looks again")
        return
    doubts = [*contradictions(params)]
    for sentence in doubts:
        yield Finding("params.yaml", "warning", sentence, "change it, or leave it if it is meant")
    if not doubts:
        yield ok("params.yaml", f"valid; {len(params.runs)} runs, {len(params.datasets)} datasets")
    yield from of_encoders(params, paths.root)


def _of_dvc(paths: Paths) -> Iterator[Finding]:
    import dvc
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        with Repo(str(paths.root)) as repo:
            folder = Path(repo.cache.local_cache_dir)
            yield ok("DVC", f"{dvc.__version__}, cache at {folder}")
            yield from of_folders(paths, folder)
            yield from of_space(paths.root / "dvc.lock", repo.cache.local, folder)
            yield from of_remote(repo.config)
            yield _of_lock(repo, paths)
    except DvcException as error:
        yield Finding("DVC", "wrong", str(error), "dvc status --verbose says more")


def _of_lock(repo: Any, paths: Paths) -> Finding:
    """Whether dvc.lock is of the code, params and data that are here."""
    if not (paths.root / "dvc.lock").is_file():
        return Finding("dvc.lock", "warning", "not there: nothing has run yet", "dvc repro")
    changed = list(repo.status())
    if not changed:
        return ok("dvc.lock", "up to date with code, params and data")
    shown = ", ".join(sorted(changed)[:3]) + (", …" if len(changed) > 3 else "")
    found = f"{len(changed)} stages are not up to date: {shown}"
    mend = "dvc repro (mmrec explain <run> says why); with a remote, make fetch"
    return Finding("dvc.lock", "warning", found, mend)
