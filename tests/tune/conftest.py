"""The small shop of the library's tests, searched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mmrec.tune.results import Results
from mmrec.tune.search import run_search
from tests.library.conftest import shop
from tests.tune.worlds import write_search

__all__ = ["shop"]


@pytest.fixture(scope="session")
def searched(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    """A project in which the search `first` was made, without an interruption."""
    project = copy_of(shop, tmp_path_factory.mktemp("searched"))
    return project, run_search(write_search(project), project)[1]


@pytest.fixture
def project(shop: Path, tmp_path: Path) -> Path:
    """A project without searches."""
    return copy_of(shop, tmp_path)


def copy_of(shop: Path, folder: Path) -> Path:
    return Path(shutil.copytree(shop, folder / "project"))
