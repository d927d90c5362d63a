"""What the tests of the library share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrec import open_run
from mmrec.library.run import Run
from tests.library.worlds import make_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with finished runs; not to be changed."""
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


@pytest.fixture(scope="session")
def runs(shop: Path) -> dict[str, Run]:
    """Its finished runs."""
    return {
        name: open_run(name, project=shop)
        for name in ("sasrec", "popularity", "itemknn", "tfidf", "two")
    }
