"""What every test shares."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from mmrec.stage import share_cores

share_cores()
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a core for each of the processes that test

# Machines are shared: a slow example is no failure.
settings.register_profile("mmrec", deadline=None)
settings.load_profile("mmrec")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share fixtures, and start with what takes longest, where several processes test.

    A file's tests stay in one process, and so do all that need the pipeline's `projects`.
    """
    for item in items:
        shared = "projects" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("projects" if shared else str(item.path)))
    items.sort(key=lambda item: "e2e" not in item.path.parts)
