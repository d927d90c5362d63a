"""Where the cache lies: beside DVC's own cache here, and beside the data on the DVC remote."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmrec.features.cache.remote import FOLDER, RemoteCache
from mmrec.features.cache.store import FeatureStore
from mmrec.features.contract import Fingerprint
from mmrec.params.features import Level

if TYPE_CHECKING:
    from dvc.repo import Repo

logger = logging.getLogger(__name__)

ENV_ROOT: Final = "MMREC_CACHE"
ENV_REMOTE: Final = "MMREC_CACHE_REMOTE"


@dataclass(frozen=True)
class FeatureCache:
    """All stores of a project."""

    root: Path
    remote: RemoteCache | None

    def store(
        self, fingerprint: Fingerprint, libraries: Mapping[str, str], *, level: Level = "vectors"
    ) -> FeatureStore:
        """The store of a fingerprint, made if there is none."""
        return FeatureStore(
            self.root, fingerprint, libraries, level=level, second_level=self.remote
        )


def open_cache(project: Path) -> FeatureCache:
    """The cache of a project.

    Its folder lies in DVC's cache directory, so that a cache shared between clones and
    experiments in temporary folders share it too; `MMREC_CACHE` names another. What is not there
    is looked for on the default DVC remote, unless `MMREC_CACHE_REMOTE` is `off`.

    Args:
        project: folder of the DVC project.

    Raises:
        ValueError: the folder is no DVC project and `MMREC_CACHE` is not set, or DVC's
            configuration is wrong.
    """
    root = os.environ.get(ENV_ROOT)
    wants_remote = os.environ.get(ENV_REMOTE, "on")
    if wants_remote not in ("on", "off"):
        raise ValueError(f"{ENV_REMOTE}: found '{wants_remote}', allowed: on, off")
    if root and wants_remote == "off":
        return FeatureCache(Path(root), None)
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        repo = Repo(str(project))
    except NotDvcRepoError:
        if root:
            return FeatureCache(Path(root), None)
        raise ValueError(
            f"{project.absolute()}: no DVC project, so there is no place for the feature cache; "
            f"run `dvc init`, or set {ENV_ROOT} to a folder"
        ) from None
    except DvcException as error:
        raise ValueError(str(error)) from error
    with repo:
        folder = Path(root) if root else Path(repo.cache.local_cache_dir) / FOLDER
        return FeatureCache(folder, _remote(repo) if wants_remote == "on" else None)


def _remote(repo: Repo) -> RemoteCache | None:
    from dvc.config import NoRemoteError
    from dvc.exceptions import DvcException
    from dvc_objects.fs.errors import RemoteMissingDepsError

    try:
        remote = repo.cloud.get_remote()
    except NoRemoteError:
        return None
    except (ImportError, RemoteMissingDepsError) as error:
        logger.warning("%s; vectors are not looked for on the remote", error)
        return None
    except DvcException as error:
        raise ValueError(str(error)) from error
    if remote.fs.protocol in ("http", "https"):
        logger.info(
            "remote %s: HTTP cannot list files; vectors are not looked for there", remote.name
        )
        return None
    return RemoteCache(remote.fs, remote.fs.join(remote.path, FOLDER))
