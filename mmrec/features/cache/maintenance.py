"""Looking after the cache: what it holds, and fewer and larger files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmrec.features.cache.layout import Layout, ValueArray, layout_of
from mmrec.features.cache.segments import (
    KeyArray,
    read_segment,
    segment_files,
    segment_layout,
    segment_metadata,
    write_segment,
)
from mmrec.features.cache.store import DESCRIPTION
from mmrec.features.extractor import Fingerprint
from mmrec.io import DataError, open_parquet, read_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoreStats:
    """What a store holds."""

    name: str
    fingerprint: dict[str, Any]
    libraries: dict[str, str]
    num_segments: int
    num_rows: int
    num_bytes: int


def stores(root: Path) -> list[Path]:
    """Folders of all stores, without those that are being deleted."""
    return sorted(path.parent for path in root.glob(f"[!.]*/{DESCRIPTION}"))


def stats(root: Path) -> list[StoreStats]:
    """What every store holds, by its files alone."""
    found = []
    for store in stores(root):
        described = read_json(store / DESCRIPTION)
        files = segment_files(store / "segments")
        rows = 0
        for path in files:
            with open_parquet(path) as file:
                rows += file.metadata.num_rows
        found.append(
            StoreStats(
                store.name,
                described["fingerprint"],
                described["libraries"],
                len(files),
                rows,
                sum(path.stat().st_size for path in files),
            )
        )
    return found


def compact(store: Path) -> int:
    """Join segments that are not large into large ones; returns how many files are gone.

    The new files are whole before the old ones go, and hold the same keys: a reader or writer
    beside it finds every key at any moment.
    """
    described = read_json(store / DESCRIPTION)
    fingerprint = Fingerprint(**described["fingerprint"])
    segments = store / "segments"
    layout = _layout(segments, fingerprint)
    whole = dict(_small_segments(segments, fingerprint, layout))
    if len(whole) < 2:
        return 0
    keys = np.concatenate([keys for keys, _ in whole.values()])
    values = np.concatenate([values for _, values in whole.values()])
    unique, first = np.unique(keys, return_index=True)
    metadata = segment_metadata(fingerprint, described["libraries"])
    written = set()
    for start in range(0, len(unique), layout.segment_rows):
        chosen = slice(start, start + layout.segment_rows)
        written.add(
            write_segment(segments, unique[chosen], values[first[chosen]], layout, metadata)
        )
    for path in whole:
        if path.name not in written:
            path.unlink(missing_ok=True)
    return len(whole) - len(written)


def _layout(folder: Path, fingerprint: Fingerprint) -> Layout:
    """That of the first segment that can be read."""
    for path in segment_files(folder):
        with suppress(DataError):
            return segment_layout(path, fingerprint)
    return layout_of("vector", fingerprint.dim, fingerprint.precision)


def _small_segments(
    folder: Path, fingerprint: Fingerprint, layout: Layout
) -> Iterator[tuple[Path, tuple[KeyArray, ValueArray]]]:
    for path in segment_files(folder):
        try:
            with open_parquet(path) as file:
                is_small = file.metadata.num_rows < layout.segment_rows
            if is_small:
                yield path, read_segment(path, fingerprint.to_json().encode(), layout)
        except DataError as error:
            logger.warning("%s; left as it is, the next run sets it aside", error)
