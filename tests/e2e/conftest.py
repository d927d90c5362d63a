"""Projects in which the whole pipeline has run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mmrec.study import workspace
from mmrec.study.workspace import make_workspace
from tests.e2e.small_shop import ran, small_params, text_of
from tests.e2e.team import git, repro
from tests.interpreters import ONE_CORE


def _run_all(folder: Path, first: Callable[..., str]) -> str:
    """Run the pipeline: one entry of every stage at least by `first`, more of a kind by forks."""
    output = first(folder, "evaluate@demo-sasrec", "pretrain@demo-mp4sr", "embed_image")
    output += repro(
        folder, *(f"evaluate@demo-{run}" for run in ("popularity", "mp4sr", "mp4sr-id"))
    )
    return output + first(folder)


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clones with a cache each, made at the same time, once for all processes that test.

    In the first one entry of every stage at least is a start, as a user's are; in the other all
    are forks. One process of the suite may do what it likes with the first, one with the second.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folders = [shared / name for name in ("project", "other")]
    with (shared / "projects.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "projects.made").exists():
            _make(folders)
            (shared / "projects.made").touch()
    return folders


def _make(folders: list[Path]) -> None:
    for folder in folders:
        make_workspace(folder, text_of(small_params()), {})
    with ThreadPoolExecutor() as pool:
        started = pool.submit(_run_all, folders[0], partial(workspace.repro, env=ONE_CORE))
        forked = pool.submit(_run_all, folders[1], repro)
        for output in (started.result(), forked.result()):
            assert {"crawl@demo", "report"} <= ran(output)
            pretrained = {stage for stage in ran(output) if stage.startswith("pretrain@")}
            assert pretrained == {"pretrain@demo-mp4sr"}
    for folder in folders:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "results")
