"""The second level: segments beside the data on the DVC remote, by its own credentials."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mmrec.features.cache.segments import KeyArray, read_key_column, segment_files
from mmrec.io import atomic_path

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

logger = logging.getLogger(__name__)

FOLDER: Final = "mmrec-features"
_KEYS: Final = ".keys"


class RemoteCache:
    """Segments on a DVC remote, each with a small file of its keys beside it.

    The keys say what a segment holds without fetching it. They are written after it, so that
    keys without a segment mean that somebody deleted it.
    """

    def __init__(self, filesystem: FileSystem, url: str) -> None:
        """Use a folder of a DVC remote.

        Args:
            filesystem: the remote's own, with its credentials.
            url: folder of the cache on it.
        """
        self._fs = filesystem
        self._url = url

    def fetch(self, store: str, keys: KeyArray, folder: Path) -> int:
        """Bring the segments that hold any of the keys into `folder`; returns how many.

        A remote that fails costs time and not the run: what it does not give is encoded.
        """
        try:
            return self._fetch(store, keys, folder)
        # Filesystems of remotes raise what the libraries below them raise.
        except Exception as error:
            logger.warning(
                "%s: %s (%s); going on without it", self._url, error, type(error).__name__
            )
            return 0

    def _fetch(self, store: str, keys: KeyArray, folder: Path) -> int:
        here = {path.name for path in segment_files(folder)}
        wanted = []
        for name in self._segments(store):
            if name not in here:
                held = self._keys(store, name, folder.parent / "remote")
                if np.isin(held, keys).any():
                    wanted.append(name)
        fetched = 0
        for name in wanted:
            try:
                with atomic_path(folder / name) as temporary:
                    self._fs.get_file(self._path(store, "segments", name), str(temporary))
                fetched += 1
            except FileNotFoundError:
                logger.warning("%s: segment %s of %s is gone", self._url, name, store)
        if fetched:
            logger.info("%s: fetched %d segments from %s", store, fetched, self._url)
        return fetched

    def push(self, store: Path) -> int:
        """Bring the segments of a store that the remote does not have to it; returns how many."""
        there = set(self._segments(store.name))
        missing = [path for path in segment_files(store / "segments") if path.name not in there]
        if missing:
            self._put(store / "fingerprint.json", store.name, "fingerprint.json")
        for path in missing:
            keys = read_key_column(path)
            self._put(path, store.name, "segments", path.name)
            kept = store / "remote" / (path.name + _KEYS)
            with atomic_path(kept) as temporary:
                temporary.write_bytes(keys.tobytes())
            self._put(kept, store.name, "keys", path.name + _KEYS)
        return len(missing)

    def pull(self, store: str, folder: Path) -> int:
        """Bring every segment of a store into `folder`; returns how many came."""
        here = {path.name for path in segment_files(folder)}
        missing = [name for name in self._segments(store) if name not in here]
        for name in missing:
            with atomic_path(folder / name) as temporary:
                self._fs.get_file(self._path(store, "segments", name), str(temporary))
        return len(missing)

    def stores(self) -> list[str]:
        """Names of the stores there are."""
        return sorted(self._names(self._url))

    def describe(self, store: str, path: Path) -> None:
        """Bring the description of a store to `path`."""
        with atomic_path(path) as temporary:
            self._fs.get_file(self._path(store, "fingerprint.json"), str(temporary))

    def _segments(self, store: str) -> list[str]:
        found = self._names(self._path(store, "keys"))
        return sorted(name.removesuffix(_KEYS) for name in found if name.endswith(_KEYS))

    def _keys(self, store: str, name: str, kept: Path) -> KeyArray:
        path = kept / (name + _KEYS)
        if not path.is_file():
            with atomic_path(path) as temporary:
                self._fs.get_file(self._path(store, "keys", name + _KEYS), str(temporary))
        return np.fromfile(path, "S16")

    def _names(self, url: str) -> Iterator[str]:
        try:
            entries: list[Any] = list(self._fs.ls(url, detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = self._fs.name(str(entry).rstrip("/"))
            if name and not name.startswith("."):
                yield name

    def _path(self, *parts: str) -> str:
        path: str = self._fs.join(self._url, *parts)
        return path

    def _put(self, path: Path, *parts: str) -> None:
        target = self._path(*parts)
        self._fs.makedirs(self._fs.parent(target), exist_ok=True)
        if self._fs.protocol not in ("local", "ssh"):
            # An object store shows an object when it is whole.
            self._fs.put_file(str(path), target)
            return
        temporary = self._fs.join(self._fs.parent(target), f".{uuid.uuid4().hex}.tmp")
        self._fs.put_file(str(path), temporary)
        self._fs.mv(temporary, target)
