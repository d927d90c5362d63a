"""The second level: segments beside the data on the DVC remote, by its own credentials."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mmrec.atomic import atomic_path
from mmrec.features.cache.maintenance import join_contents
from mmrec.features.cache.plain import is_plain_file
from mmrec.features.cache.remote_files import RemoteFiles, told
from mmrec.features.cache.remote_segments import KEYS, RemoteSegments, note_of, noted
from mmrec.features.cache.segments import KeyArray, read_whole_segment, segment_files
from mmrec.features.cache.store import read_description
from mmrec.io import DataError

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

    from mmrec.features.contract import Fingerprint

logger = logging.getLogger(__name__)

FOLDER: Final = "mmrec-features"


class RemoteCache:
    """Segments on a DVC remote, each with a small file of its keys beside it.

    The keys say what a segment holds without fetching it. They are written after it, so that
    keys without a segment mean that somebody deleted it.

    One that is damaged there is noted in this clone, and replaced by the next push from it.
    """

    def __init__(self, filesystem: FileSystem, url: str) -> None:
        """Use a folder of a DVC remote.

        Args:
            filesystem: the remote's own, with its credentials.
            url: folder of the cache on it.
        """
        self.files = RemoteFiles(filesystem, url)
        self._segments = RemoteSegments(self.files)
        self._failed = False

    def fetch(self, store: str, keys: KeyArray, folder: Path) -> int:
        """Bring the segments that hold any of the keys into `folder`; returns how many.

        A remote that fails costs time, once, and not the run: what it does not give is encoded.
        """
        fetched = 0
        try:
            if not self._failed:
                wanted = self._holding(keys, store, folder)
                for _ in self._segments.bring(wanted, store, folder):
                    fetched += 1
        # Filesystems of remotes raise what the libraries below them raise.
        except Exception as error:
            self._failed = True
            logger.warning(
                "%s: %s (%s); going on without it", self.files.url, error, type(error).__name__
            )
        if fetched:
            logger.info("%s: fetched %d segments from %s", store, fetched, self.files.url)
        return fetched

    def push(self, store: Path) -> int:
        """Bring what the remote does not have of a store, or has damaged; returns how many.

        Only segments that are sound here go there, and only over such as are damaged there.

        Raises:
            RemoteError: the remote took not all of them; those it took can be fetched.
            DataError: the store has no description that can be read.
        """
        fingerprint, _ = read_description(store)
        with told(self.files.url, "read"):
            there = set(self._segments.names(store.name))
            damaged = set(self._damaged_there(store, fingerprint))
        for name in sorted(damaged):
            self._make_up(store, name)
        pushed = 0
        for path in segment_files(store / "segments"):
            if path.name in there and path.name not in damaged:
                continue
            try:
                keys, _ = read_whole_segment(path, fingerprint)
            except DataError as error:
                logger.warning("%s; not pushed, the next run sets it aside", error)
                continue
            if not pushed:
                self.files.put(store / "fingerprint.json", store.name, "fingerprint.json")
            self.files.put(path, store.name, "segments", path.name)
            kept = store / "remote" / (path.name + KEYS)
            with atomic_path(kept) as temporary:
                temporary.write_bytes(keys.tobytes())
            self.files.put(kept, store.name, "keys", path.name + KEYS)
            note_of(store, path.name).unlink(missing_ok=True)
            damaged.discard(path.name)
            pushed += 1
        for name in sorted(damaged):
            self._say_what_is_left(store.name, name)
        return pushed

    def pull(self, store: str, folder: Path) -> int:
        """Bring every segment of a store into `folder`; returns how many came.

        Raises:
            RemoteError: the remote gave not all of them.
            DataError: the store has no description that can be read.
        """
        with told(self.files.path(store), "read"):
            return sum(
                1 for _ in self._segments.bring(self._elsewhere(store, folder), store, folder)
            )

    def stores(self) -> list[str]:
        """Names of the stores there are.

        Raises:
            RemoteError: the remote cannot be read.
        """
        with told(self.files.url, "read"):
            return self.files.folders()

    def describe(self, store: str, path: Path) -> None:
        """Bring the description of a store to `path`.

        Raises:
            RemoteError: the remote did not give it.
        """
        with told(self.files.path(store), "read"):
            self.files.get(path, store, "fingerprint.json")

    def _elsewhere(self, store: str, folder: Path) -> Iterator[str]:
        """Segments that are there and not here."""
        here = {path.name for path in segment_files(folder)}
        return (name for name in self._segments.names(store) if name not in here)

    def _holding(self, keys: KeyArray, store: str, folder: Path) -> Iterator[str]:
        """Those that hold any of the keys that none before has brought."""
        for name in self._elsewhere(store, folder):
            if not len(keys):
                return
            try:
                found = self._segments.keys(name, store, folder.parent)
            except FileNotFoundError:
                continue  # deleted since they were listed
            if found is None:
                continue
            held = np.isin(keys, found)
            if held.any():
                yield name
                # It may have been deleted since, and others may hold the same.
                if (folder / name).is_file():
                    keys = keys[~held]

    def _damaged_there(self, store: Path, fingerprint: Fingerprint) -> Iterator[str]:
        """Segments that were met damaged, or are of another size than here, and are damaged now."""
        there = set(self._segments.names(store.name))
        sizes = self.files.files(store.name, "segments")
        here = {path.name: path.stat().st_size for path in segment_files(store / "segments")}
        unlike = {name for name, size in here.items() if sizes.get(name, size) not in (None, size)}
        for name in sorted(noted(store) | unlike):
            if name in there and not self._segments.is_sound(store, name, fingerprint):
                yield name
            else:
                note_of(store, name).unlink(missing_ok=True)

    def _make_up(self, store: Path, name: str) -> None:
        """Have a segment here of what a damaged one held, if that is here in other segments."""
        if is_plain_file(store / "segments" / name):
            return
        with told(self.files.path(store.name), "read"):
            keys = self._segments.keys(name, store.name, store)
        if keys is not None:
            join_contents(store, keys)

    def _say_what_is_left(self, store: str, name: str) -> None:
        logger.warning(
            "%s: still damaged, as not all of its contents are in this cache; push from a clone "
            "that has them, or delete it there together with %s",
            self.files.path(store, "segments", name),
            self.files.path(store, "keys", name + KEYS),
        )
