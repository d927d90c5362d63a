"""Looking after the cache: what it holds, and fewer and larger files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from mmrec.features.cache.layout import Layout, TokenLayout, ValueArray, layout_of
from mmrec.features.cache.segments import (
    KeyArray,
    read_segment,
    segment_files,
    segment_layout,
    segment_metadata,
    write_segment,
)
from mmrec.features.cache.store import DESCRIPTION, FeatureStore, read_description
from mmrec.features.contract import Fingerprint
from mmrec.io import DataError, open_parquet
from mmrec.params.features import Level

logger = logging.getLogger(__name__)

_BYTES_AT_ONCE: Final = 256 * 2**20
"""Of segments that are joined; in memory they take a few times as much."""


@dataclass(frozen=True)
class StoreStats:
    """What a store holds."""

    name: str
    fingerprint: Fingerprint
    libraries: Mapping[str, str]
    num_segments: int
    num_rows: int
    num_bytes: int


class _Size(NamedTuple):
    path: Path
    num_rows: int
    num_bytes: int


def stores(root: Path) -> list[Path]:
    """Folders of all stores, without those that are being deleted."""
    return sorted(path.parent for path in root.glob(f"[!.]*/{DESCRIPTION}"))


def stats(root: Path) -> list[StoreStats]:
    """What every store holds, by its files alone; what is damaged is named and not counted."""
    found = []
    for store in stores(root):
        try:
            fingerprint, libraries = read_description(store)
        except DataError as error:
            logger.warning("%s", error)
            continue
        sizes = list(_sizes(store / "segments"))
        rows = sum(size.num_rows for size in sizes)
        num_bytes = sum(size.num_bytes for size in sizes)
        found.append(StoreStats(store.name, fingerprint, libraries, len(sizes), rows, num_bytes))
    return found


def compact(store: Path) -> int:
    """Join segments that are not large into large ones; returns how many files are gone.

    A new file is whole before the old ones go, and holds the same keys: a reader or writer
    beside it finds every key at any moment.

    Raises:
        DataError: the store has no description that can be read.
    """
    fingerprint, libraries = read_description(store)
    segments = store / "segments"
    layout = _layout(segments, fingerprint)
    metadata = segment_metadata(fingerprint, libraries)
    gone = 0
    for group in _groups(segments, layout):
        whole = dict(_readable(group, fingerprint, layout))
        if len(whole) < 2:
            continue
        keys = np.concatenate([keys for keys, _ in whole.values()])
        values = np.concatenate([values for _, values in whole.values()])
        unique, first = np.unique(keys, return_index=True)
        name = write_segment(segments, unique, values[first], layout, metadata)
        for path in whole:
            if path.name != name:
                path.unlink(missing_ok=True)
        gone += len(whole) - 1
    return gone


def join_contents(store: Path, keys: KeyArray) -> bool:
    """Put the values of ascending keys into one segment, if all are held; says whether they are.

    Raises:
        DataError: the store has no description that can be read.
    """
    fingerprint, libraries = read_description(store)
    segments = store / "segments"
    layout = _layout(segments, fingerprint)
    level: Level = "tokens" if isinstance(layout, TokenLayout) else "vectors"
    values = layout.empty(len(keys))
    known = FeatureStore(store.parent, fingerprint, libraries, level=level).fill(keys, values)
    if known.all():
        write_segment(segments, keys, values, layout, segment_metadata(fingerprint, libraries))
    return bool(known.all())


def _layout(folder: Path, fingerprint: Fingerprint) -> Layout:
    """That of the first segment that can be read."""
    for path in segment_files(folder):
        with suppress(DataError):
            return segment_layout(path, fingerprint)
    return layout_of("vectors", fingerprint.dim, fingerprint.precision)


def _sizes(folder: Path) -> Iterator[_Size]:
    """Of every segment that can be opened."""
    for path in segment_files(folder):
        try:
            with open_parquet(path) as file:
                yield _Size(path, file.metadata.num_rows, path.stat().st_size)
        except (DataError, FileNotFoundError) as error:
            logger.warning("%s; left as it is, the next run sets it aside", error)


def _groups(folder: Path, layout: Layout) -> Iterator[list[Path]]:
    """Segments that together make a large one, and that memory holds at once."""
    group: list[Path] = []
    rows = num_bytes = 0
    for size in sorted(_sizes(folder), key=lambda size: size.num_bytes):
        rows += size.num_rows
        num_bytes += size.num_bytes
        if group and (rows > layout.segment_rows or num_bytes > _BYTES_AT_ONCE):
            yield group
            group, rows, num_bytes = [], size.num_rows, size.num_bytes
        group.append(size.path)
    yield group


def _readable(
    paths: list[Path], fingerprint: Fingerprint, layout: Layout
) -> Iterator[tuple[Path, tuple[KeyArray, ValueArray]]]:
    for path in paths:
        try:
            yield path, read_segment(path, fingerprint.to_json().encode(), layout)
        except DataError as error:
            logger.warning("%s; left as it is, the next run sets it aside", error)
