from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.data.crawler.web import Web


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()
