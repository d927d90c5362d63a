"""Projects in which the whole pipeline has run."""

from __future__ import annotations

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmrec.study.workspace import make_workspace, repro
from tests.e2e.small_shop import ran, small_params, text_of
from tests.e2e.team import git
from tests.interpreters import REAL, forking, forking_environment

STARTED = (
    *("code", "crawl", "clean", "keywords", "embed_text", "embed_image", "pretrain"),
    *("finetune", "evaluate", "recommend", "report"),
)


def _starting_each_once(folder: Path) -> dict[str, str]:
    """An environment in which the first of each kind of stage is a start, as a user's all are.

    Not one of popularity, which trains nothing. What is a start leaves its name in the folder.
    """
    (folder / "bin").mkdir(parents=True)
    script = folder / "bin" / "python"
    script.write_text(
        f"""#!/bin/sh
case "$*" in
  *popularity) ;;
  *) mkdir "{folder}/$2" 2>&- && exec "{REAL}/bin/python" "$@" ;;
esac
exec "{forking()}/bin/python" "$@"
"""
    )
    script.chmod(0o755)
    environment = forking_environment()
    return environment | {"PATH": f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"}


@pytest.fixture(scope="session")
def projects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clones with a cache each, made at the same time, once for all processes that test.

    In the first one entry of every stage is a start, as a user's are; in the other all are forks.
    One process of the suite may do what it likes with the first, one with the second.
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
    starts = folders[0].parent / "starts"
    environments = [_starting_each_once(starts), forking_environment()]
    with ThreadPoolExecutor() as pool:
        for output in pool.map(lambda folder, env: repro(folder, env=env), folders, environments):
            assert {"crawl@demo", "report"} <= ran(output)
            pretrained = {stage for stage in ran(output) if stage.startswith("pretrain@")}
            assert pretrained == {"pretrain@demo-mp4sr"}
    assert {path.name for path in starts.iterdir()} == {
        "bin",
        "dvc",
        *(f"stages.{name}" for name in STARTED),
    }
    for folder in folders:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "results")
