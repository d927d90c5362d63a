"""What every test shares."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from mmrec.stage import share_cores
from tests.interpreters import forking

WITH_PROJECTS = {
    f"tests/e2e/test_{name}.py" for name in ("code", "demo_pipeline", "experiments", "tour")
}
"""Files that change the first of the fixture `projects`, two runs of the whole pipeline."""
WAITS_FOR_PROJECTS = "test_fetching.py"
"""Changes the second of them; begun at once, it would wait for their making."""

share_cores()
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a core for each of the processes that test
os.environ["DVC_NO_ANALYTICS"] = "1"  # else each call of DVC starts a process that reports it

# Machines are shared: a slow example is no failure.
settings.register_profile("mmrec", deadline=None)
settings.load_profile("mmrec")


def pytest_configure(config: pytest.Config) -> None:
    """Where several processes test, they share one that forks."""
    if config.getoption("numprocesses", None):
        forking()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with what takes longest."""
    slow = (
        *("e2e", "test_killed_stages.py", "test_distributed.py", "test_fit_settings.py"),
        *("test_ray_executor.py", "test_torture.py", "onnx", "tune"),
    )

    def turn(item: pytest.Item) -> int:
        parts = item.path.parts
        return 1 if WAITS_FOR_PROJECTS in parts else 2 * (not any(part in slow for part in parts))

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: tests wait for processes and servers."""
    cores = os.cpu_count() or 1
    return cores + cores // 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Where several processes test, a file's tests share one of them, with their fixtures."""
    return _ByFixtures(config, log)


class _ByFixtures(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "projects" if file in WITH_PROJECTS else file
