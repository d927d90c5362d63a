"""Projects in which the whole pipeline has run."""

from __future__ import annotations

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
    """Two clones with a cache each, made at the same time.

    In the first one entry of every stage at least is a start, as a user's are; in the other all
    are forks.
    """
    names = ("project", "other")
    folders = [
        make_workspace(tmp_path_factory.mktemp(name), text_of(small_params()), {}) for name in names
    ]
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
    return folders
