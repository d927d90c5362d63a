from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features.cache.s3_server import S3Server, s3_server
from tests.features.cache.teams import FolderTeam, S3Team, Team


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as served:
        yield served


@pytest.fixture
def s3_team(server: S3Server, tmp_path: Path) -> S3Team:
    return S3Team(server, tmp_path.name)


@pytest.fixture(params=["folder", "s3"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Team:
    """Each test with a folder as remote, and with S3."""
    if request.param == "folder":
        return FolderTeam(tmp_path / "remote")
    found: S3Team = request.getfixturevalue("s3_team")
    return found
