"""Where each key lies: a sorted array over many segments, kept on disk and mapped into memory."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from mmrec.atomic import atomic_path
from mmrec.features.cache.plain import is_plain_file
from mmrec.features.cache.segments import KeyArray
from mmrec.io import write_text

logger = logging.getLogger(__name__)

_SMALLEST_KEPT: Final = 65_536
"""Below this many keys an index is made anew faster than it is worth keeping."""


@dataclass(frozen=True)
class KeyIndex:
    """Sorted distinct keys of some segments and the row behind each: 20 bytes a key.

    Rows are numbered over all segments, in order. Where two segments hold a key, the first wins.
    """

    segments: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    """[S + 1] first row of each segment, and the number of rows."""
    keys: KeyArray
    rows: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, segments: Sequence[tuple[str, KeyArray]]) -> Self:
        """The index of segments, given their names and keys."""
        starts = np.cumsum([0, *(len(keys) for _, keys in segments)])
        joined = np.concatenate([np.empty(0, "S16"), *(keys for _, keys in segments)])
        names = tuple(name for name, _ in segments)
        return cls(names, starts, *_distinct(joined, np.arange(len(joined), dtype=np.uint32)))

    def find(self, sought: KeyArray) -> npt.NDArray[np.int64]:
        """[n] row of each key, -1 where there is none.

        Args:
            sought: keys in ascending order, so that neighbours are near in memory, too.
        """
        rows = np.full(len(sought), -1, np.int64)
        if len(self.keys):
            place = np.searchsorted(self.keys, sought).clip(max=len(self.keys) - 1)
            found = self.keys[place] == sought
            rows[found] = self.rows[place[found]]
        return rows

    def segment_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """[n] which segment each row lies in."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def is_sound(self) -> bool:
        """Whether it leads into its segments; where in them, reading them shows."""
        return (
            len(self.keys) == len(self.rows)
            and len(self.starts) == len(self.segments) + 1
            and bool(self.rows.max(initial=0) < self.starts[-1])
        )

    def save(self, folder: Path) -> None:
        """Keep the index for the next process, in place of those kept before."""
        name = blake2b("\n".join(self.segments).encode(), digest_size=8).hexdigest()
        for kind, array in (("keys", self.keys), ("rows", self.rows)):
            with atomic_path(folder / f"{name}.{kind}.npy") as temporary, temporary.open("wb") as f:
                np.save(f, array)
        # Written last: an index without it does not exist.
        described = {"segments": self.segments, "starts": self.starts.tolist()}
        write_text(json.dumps(described), folder / f"{name}.json")
        for path in folder.iterdir():
            if path.name.partition(".")[0] != name and re.match(r"[0-9a-f]{16}\.", path.name):
                path.unlink(missing_ok=True)


def load_index(
    folder: Path, names: Sequence[str], read: Callable[[str], KeyArray | None]
) -> list[KeyIndex]:
    """Indices that together cover the named segments: the one kept on disk, and one of the rest.

    Args:
        folder: where an index is kept.
        names: segments there are.
        read: gives the keys of a segment, or None where it is not readable.
    """
    kept = _kept(folder, set(names))
    covered = set(kept.segments) if kept else set()
    rest = [
        (name, keys) for name in names if name not in covered if (keys := read(name)) is not None
    ]
    recent = KeyIndex.of(rest)
    if kept is None:
        if len(recent.keys) >= _SMALLEST_KEPT:
            _keep(recent, folder)
        return [recent]
    if len(recent.keys) < max(_SMALLEST_KEPT, len(kept.keys) // 8):
        return [kept, recent]
    merged = _merged(kept, recent)
    _keep(merged, folder)
    return [merged]


def _keep(index: KeyIndex, folder: Path) -> None:
    """Keep an index, if the disk takes it: without it the next process makes it anew."""
    try:
        index.save(folder)
    except OSError as error:
        logger.warning("%s: the index of the cache is not kept (%s)", folder, error)


def _merged(left: KeyIndex, right: KeyIndex) -> KeyIndex:
    keys = np.concatenate([left.keys, right.keys])
    shift = int(left.starts[-1])
    rows = np.concatenate([left.rows, right.rows + np.uint32(shift)])
    starts = np.concatenate([left.starts, right.starts[1:] + shift])
    return KeyIndex((*left.segments, *right.segments), starts, *_distinct(keys, rows))


def _distinct(
    keys: KeyArray, rows: npt.NDArray[np.uint32]
) -> tuple[KeyArray, npt.NDArray[np.uint32]]:
    """Sorted keys, each with the first of its rows."""
    order = _stable_order(keys)
    keys, rows = keys[order], rows[order]
    first = np.ones(len(keys), bool)
    first[1:] = keys[1:] != keys[:-1]
    return keys[first], rows[first]


def _kept(folder: Path, names: set[str]) -> KeyIndex | None:
    """The index on disk, if every segment it covers is still there."""
    for path in sorted(folder.glob("*.json")):
        parts = [path, path.with_suffix(".keys.npy"), path.with_suffix(".rows.npy")]
        if not all(map(is_plain_file, parts)):
            continue
        try:
            described = json.loads(path.read_text())
            if not set(described["segments"]) <= names:
                continue
            kept = KeyIndex(
                tuple(described["segments"]),
                np.array(described["starts"], np.int64),
                np.load(parts[1], mmap_mode="r"),
                np.load(parts[2], mmap_mode="r"),
            )
            if kept.is_sound():
                return kept
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            # It is derived: a damaged one is made again.
            path.unlink(missing_ok=True)
    return None


def _stable_order(keys: KeyArray) -> npt.NDArray[np.int64]:
    """The order that sorts keys, equal ones as they came; by halves, as numbers sort faster."""
    halves = np.ascontiguousarray(keys).view(">u8").reshape(-1, 2)
    head = halves[:, 0].astype(np.uint64)
    order = np.argsort(head, kind="stable")
    sorted_head = head[order]
    if (sorted_head[1:] == sorted_head[:-1]).any():
        return np.lexsort((halves[:, 1].astype(np.uint64), head))
    return order
