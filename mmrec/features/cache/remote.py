"""The second level: segments beside the data on the DVC remote, by its own credentials."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mmrec.features.cache.patience import Heartbeat, patiently
from mmrec.features.cache.segments import (
    KeyArray,
    read_segment,
    segment_files,
    segment_layout,
)
from mmrec.features.cache.store import read_description
from mmrec.io import DataError, atomic_path

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

logger = logging.getLogger(__name__)

FOLDER: Final = "mmrec-features"
_KEYS: Final = ".keys"
_LONGEST_SILENCE_S: Final = 30.0
_LONGEST_SILENT_UPLOAD_S: Final = 600.0
"""Of uploads many filesystems tell nothing before a file, or a large part of it, is there."""


class RemoteError(OSError):
    """The remote refused or failed; the message says where and what to do."""


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
        self._failed = False

    def fetch(self, store: str, keys: KeyArray, folder: Path) -> int:
        """Bring the segments that hold any of the keys into `folder`; returns how many.

        A remote that fails costs time, once, and not the run: what it does not give is encoded.
        """
        fetched = 0
        try:
            if not self._failed:
                wanted = self._holding(keys, store, folder)
                for _ in self._bring(wanted, store, folder):
                    fetched += 1
        # Filesystems of remotes raise what the libraries below them raise.
        except Exception as error:
            self._failed = True
            logger.warning(
                "%s: %s (%s); going on without it", self._url, error, type(error).__name__
            )
        if fetched:
            logger.info("%s: fetched %d segments from %s", store, fetched, self._url)
        return fetched

    def push(self, store: Path) -> int:
        """Bring the segments of a store that the remote does not have to it; returns how many.

        Raises:
            RemoteError: the remote took not all of them; those it took can be fetched.
            DataError: the store has no description that can be read.
        """
        fingerprint, _ = read_description(store)
        with _told(self._url, "read"):
            there = set(self._segments(store.name))
        pushed = 0
        for path in segment_files(store / "segments"):
            if path.name in there:
                continue
            try:
                layout = segment_layout(path, fingerprint)
                keys, _ = read_segment(path, fingerprint.to_json().encode(), layout)
            except DataError as error:
                logger.warning("%s; not pushed, the next run sets it aside", error)
                continue
            if not pushed:
                self._put(store / "fingerprint.json", store.name, "fingerprint.json")
            self._put(path, store.name, "segments", path.name)
            kept = store / "remote" / (path.name + _KEYS)
            with atomic_path(kept) as temporary:
                temporary.write_bytes(keys.tobytes())
            self._put(kept, store.name, "keys", path.name + _KEYS)
            pushed += 1
        return pushed

    def pull(self, store: str, folder: Path) -> int:
        """Bring every segment of a store into `folder`; returns how many came.

        Raises:
            RemoteError: the remote gave not all of them.
        """
        with _told(self._path(store), "read"):
            return sum(1 for _ in self._bring(self._elsewhere(store, folder), store, folder))

    def stores(self) -> list[str]:
        """Names of the stores there are.

        Raises:
            RemoteError: the remote cannot be read.
        """
        with _told(self._url, "read"):
            return sorted(self._names(self._url))

    def describe(self, store: str, path: Path) -> None:
        """Bring the description of a store to `path`.

        Raises:
            RemoteError: the remote did not give it.
        """
        with _told(self._path(store), "read"):
            self._get(path, store, "fingerprint.json")

    def _elsewhere(self, store: str, folder: Path) -> Iterator[str]:
        """Segments that are there and not here."""
        here = {path.name for path in segment_files(folder)}
        return (name for name in self._segments(store) if name not in here)

    def _holding(self, keys: KeyArray, store: str, folder: Path) -> Iterator[str]:
        """Those that hold any of the keys that none before has brought."""
        for name in self._elsewhere(store, folder):
            if not len(keys):
                return
            kept = folder.parent / "remote" / (name + _KEYS)
            if not kept.is_file():
                try:
                    self._get(kept, store, "keys", name + _KEYS)
                except FileNotFoundError:
                    continue  # deleted since they were listed
            held = np.isin(keys, np.fromfile(kept, "S16"))
            if held.any():
                yield name
                # It may have been deleted since, and others may hold the same.
                if (folder / name).is_file():
                    keys = keys[~held]

    def _bring(self, names: Iterable[str], store: str, folder: Path) -> Iterator[str]:
        for name in names:
            try:
                self._get(folder / name, store, "segments", name)
            except FileNotFoundError:
                logger.warning("%s: segment %s of %s is gone", self._url, name, store)
            else:
                yield name

    def _segments(self, store: str) -> list[str]:
        found = self._names(self._path(store, "keys"))
        return sorted(name.removesuffix(_KEYS) for name in found if name.endswith(_KEYS))

    def _names(self, url: str) -> list[str]:
        try:
            entries: list[Any] = patiently(
                lambda _: list(self._fs.ls(url, detail=False)), _LONGEST_SILENCE_S
            )
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = [self._fs.name(str(entry).rstrip("/")) for entry in entries]
        return [name for name in names if name and not name.startswith(".")]

    def _path(self, *parts: str) -> str:
        path: str = self._fs.join(self._url, *parts)
        return path

    def _get(self, target: Path, *parts: str) -> None:
        source = self._path(*parts)
        with atomic_path(target) as temporary:
            patiently(
                lambda heard: self._fs.get_file(source, str(temporary), callback=heard),
                _LONGEST_SILENCE_S,
            )

    def _put(self, path: Path, *parts: str) -> None:
        target = self._path(*parts)
        with _told(target, "written"):
            patiently(lambda heard: self._upload(path, target, heard), _LONGEST_SILENT_UPLOAD_S)

    def _upload(self, path: Path, target: str, heard: Heartbeat) -> None:
        from dvc_objects.fs.base import ObjectFileSystem

        # An object store shows an object when it is whole, and has no folders.
        if isinstance(self._fs, ObjectFileSystem):
            self._fs.put_file(str(path), target, callback=heard)
            return
        self._fs.makedirs(self._fs.parent(target), exist_ok=True)
        temporary = self._fs.join(self._fs.parent(target), f".{uuid.uuid4().hex}.tmp")
        self._fs.put_file(str(path), temporary, callback=heard)
        self._fs.mv(temporary, target)


@contextmanager
def _told(where: str, done: str) -> Iterator[None]:
    """Say of whatever a filesystem raises where it happened and what to do."""
    try:
        yield
    except Exception as error:
        raise RemoteError(
            f"{where}: could not be {done} ({type(error).__name__}: {error}); see that the remote "
            "answers and allows it; its credentials are DVC's (`dvc remote modify --local`)"
        ) from error
