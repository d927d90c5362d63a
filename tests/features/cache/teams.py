"""Projects with a DVC remote in common: a folder, or a bucket of a local S3 server."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dvc.cli import main as dvc_main

from mmrec.features.cache.place import FeatureCache
from mmrec.features.cache.store import FeatureStore
from tests.features.cache.s3_server import BUCKET, S3Server, User
from tests.features.cache.worlds import FINGERPRINT, keys_of, vectors_of
from tests.interpreters import forking_environment


def dvc(project: Path, *arguments: str) -> None:
    assert dvc_main(["--cd", str(project), *arguments, "--quiet"]) == 0


class Team(ABC):
    """Who share a remote."""

    @abstractmethod
    def join(self, project: Path) -> None:
        """Make the remote the project's default one."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete whatever on the remote has such a name."""


@dataclass(frozen=True)
class FolderTeam(Team):
    folder: Path

    def join(self, project: Path) -> None:
        dvc(project, "remote", "add", "--force", "--default", "team", str(self.folder))

    def delete(self, name: str) -> None:
        for path in self.folder.rglob(name):
            path.unlink()


@dataclass(frozen=True)
class S3Team(Team):
    server: S3Server
    folder: str

    def join(self, project: Path, user: User | None = None, url: str | None = None) -> None:
        """As the documentation says, and nothing else: address, then credentials of one's own."""
        user = user or self.server.writer
        bucket = f"s3://{BUCKET}/{self.folder}"
        dvc(project, "remote", "add", "--force", "--default", "team", bucket)
        dvc(project, "remote", "modify", "team", "endpointurl", url or self.server.url)
        dvc(project, "remote", "modify", "--local", "team", "access_key_id", user.key)
        dvc(project, "remote", "modify", "--local", "team", "secret_access_key", user.secret)

    def delete(self, name: str) -> None:
        for key in self.objects():
            if Path(key).match(name):
                self.server.client().delete_object(Bucket=BUCKET, Key=key)

    def objects(self) -> list[str]:
        return sorted(key for key in self.server.objects() if key.startswith(f"{self.folder}/"))


@cache
def _new_project() -> TemporaryDirectory[str]:
    made = TemporaryDirectory()
    subprocess.run(["git", "init", "--quiet"], cwd=made.name, check=True)
    dvc(Path(made.name), "init")
    return made


def make_project(folder: Path, join: Callable[[Path], None] | None = None) -> Path:
    shutil.copytree(_new_project().name, folder)
    if join is not None:
        join(folder)
    return folder


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python", "-m", "mmrec.features.cache", *arguments],
        cwd=folder,
        env={**forking_environment(), "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )


def store(cache: FeatureCache) -> FeatureStore:
    return cache.store(FINGERPRINT, {"torch": "1"})


def encode(cache: FeatureCache, *segments: range) -> None:
    """Put a segment for each range of contents into the cache."""
    for numbers in segments:
        store(cache).append(keys_of(numbers), vectors_of(keys_of(numbers)))


def push(cache: FeatureCache) -> int:
    """Push the contents of `encode`; returns how many segments went."""
    assert cache.remote is not None
    return cache.remote.push(store(cache).folder)


def known(cache: FeatureCache, numbers: range) -> int:
    """How many of the contents the cache knows; their vectors are right."""
    keys = np.sort(keys_of(numbers))
    vectors = np.zeros((len(keys), FINGERPRINT.dim), np.float16)
    found = store(cache).fill(keys, vectors)
    assert (vectors[found] == vectors_of(keys[found])).all()
    return int(found.sum())
