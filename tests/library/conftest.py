"""What the tests of the library share."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from mmrec import open_run
from mmrec.library.run import Run
from tests.library.worlds import make_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with finished runs, made once for all processes that test; not to be changed."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder = shared / "library"
    with (shared / "library.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "library.made").exists():
            folder.mkdir()
            make_shop(folder)
            (shared / "library.made").touch()
    return folder


@pytest.fixture(scope="session")
def runs(shop: Path) -> dict[str, Run]:
    """Its finished runs."""
    return {
        name: open_run(name, project=shop)
        for name in ("sasrec", "popularity", "itemknn", "tfidf", "two")
    }
