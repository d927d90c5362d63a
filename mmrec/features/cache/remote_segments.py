"""Segments on a remote: read from end to end before they are taken, noted where damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mmrec.atomic import atomic_path
from mmrec.features.cache.remote_files import RemoteError, RemoteFiles
from mmrec.features.cache.segments import KeyArray, read_whole_segment, segment_name
from mmrec.features.cache.store import read_description
from mmrec.io import DataError, write_text

if TYPE_CHECKING:
    from mmrec.features.contract import Fingerprint

logger = logging.getLogger(__name__)

KEYS: Final = ".keys"
_DAMAGED: Final = ".damaged"


class RemoteSegments:
    """Segments of stores, each with a small file of its keys beside it."""

    def __init__(self, files: RemoteFiles) -> None:
        """Use the folder of a cache."""
        self.files = files

    def names(self, store: str) -> list[str]:
        """Segments that have keys: without these nothing tells what one holds."""
        found = sorted(self.files.files(store, "keys"))
        return [name.removesuffix(KEYS) for name in found if name.endswith(KEYS)]

    def keys(self, name: str, store: str, here: Path) -> KeyArray | None:
        """The keys of a segment; None where they are damaged on the remote."""
        kept = here / "remote" / (name + KEYS)
        for _ in range(2):
            if not kept.is_file():
                self.files.get(kept, store, "keys", name + KEYS)
            data = kept.read_bytes()
            if len(data) % 16 == 0 and segment_name(np.frombuffer(data, "S16")) == name:
                return np.frombuffer(data, "S16")
            kept.unlink()
        self._note_damage(here, name, f"{self.files.path(store, 'keys', name + KEYS)}: damaged")
        return None

    def bring(self, names: Iterable[str], store: str, folder: Path) -> Iterator[str]:
        """Bring segments into `folder`; gives the name of each that came and is sound."""
        fingerprint, _ = read_description(folder.parent)
        for name in names:
            try:
                with atomic_path(folder / name) as temporary:
                    self.files.get_to(temporary, store, "segments", name)
                    read_whole_segment(temporary, fingerprint)
            except FileNotFoundError:
                logger.warning("%s: segment %s of %s is gone", self.files.url, name, store)
            except (DataError, RemoteError) as error:
                there = self.files.path(store, "segments", name)
                told_of = str(error).replace(str(temporary), there)
                self._note_damage(folder.parent, name, told_of)
            else:
                yield name

    def is_sound(self, store: Path, name: str, fingerprint: Fingerprint) -> bool:
        """Whether a segment and its keys on the remote are what they must be."""
        fetched = store / "remote" / f".{name}.tmp"
        fetched.parent.mkdir(exist_ok=True)
        kept = store / "remote" / (name + KEYS)
        kept.unlink(missing_ok=True)
        try:
            self.files.get_to(fetched, store.name, "segments", name)
            read_whole_segment(fetched, fingerprint)
            return self.keys(name, store.name, store) is not None
        except (DataError, RemoteError, FileNotFoundError):
            return False
        finally:
            fetched.unlink(missing_ok=True)

    def _note_damage(self, here: Path, name: str, error: str) -> None:
        write_text(error, note_of(here, name))
        logger.warning(
            "%s; it stays on the remote, and what a run needs of it is encoded here: `python -m "
            "mmrec.features.cache push` after that run puts a sound file in its place",
            error,
        )


def note_of(store: Path, name: str) -> Path:
    """Where this clone notes that a segment on the remote is damaged."""
    return store / "remote" / (name + _DAMAGED)


def noted(store: Path) -> set[str]:
    """Segments of a store that this clone has met damaged on the remote."""
    return {path.name.removesuffix(_DAMAGED) for path in (store / "remote").glob(f"*{_DAMAGED}")}
