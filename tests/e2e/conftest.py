"""Projects in which the whole pipeline has run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mmrec.study.workspace import make_workspace, repro
from tests.e2e.small_shop import ran, small_params, text_of
from tests.e2e.team import git


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clones with a cache each, made at the same time."""
    names = ("project", "other")
    folders = [
        make_workspace(tmp_path_factory.mktemp(name), text_of(small_params()), {}) for name in names
    ]
    with ThreadPoolExecutor() as pool:
        one_core = partial(repro, env={"OMP_NUM_THREADS": "1"})
        for output in pool.map(one_core, folders):
            assert {"crawl@demo", "report"} <= ran(output)
            pretrained = {stage for stage in ran(output) if stage.startswith("pretrain@")}
            assert pretrained == {"pretrain@demo-mp4sr"}
    for folder in folders:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "results")
    return folders
