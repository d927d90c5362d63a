"""Looking after the cache: what it holds, fewer and larger files, what nothing refers to."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmrec.features.cache.segments import (
    key_array,
    read_key_column,
    segment_files,
    segment_schema,
    write_segment,
)
from mmrec.features.cache.store import DESCRIPTION
from mmrec.io import DataError, open_parquet, read_json

logger = logging.getLogger(__name__)

LARGE_SEGMENT: Final = 65_536
"""Rows of a segment that compaction leaves alone."""


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
    """Folders of all stores."""
    return sorted(path.parent for path in root.glob(f"*/{DESCRIPTION}"))


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
    small = [path for path in segment_files(store / "segments") if _num_rows(path) < LARGE_SEGMENT]
    if len(small) < 2:
        return 0
    schema = segment_schema(*_kind(store))
    tables = []
    for path in small:
        with open_parquet(path) as file:
            metadata = file.schema_arrow.metadata
            tables.append(file.read())
    keys = np.concatenate([key_array(table["key"]) for table in tables])
    vectors = np.concatenate(
        [
            table["embedding"].combine_chunks().values.to_numpy(zero_copy_only=False)
            for table in tables
        ]
    ).reshape(len(keys), -1)
    unique, first = np.unique(keys, return_index=True)
    written = {
        write_segment(
            store / "segments",
            unique[start : start + LARGE_SEGMENT],
            vectors[first[start : start + LARGE_SEGMENT]].astype(
                schema.field("embedding").type.value_type.to_pandas_dtype()
            ),
            metadata,
        )
        for start in range(0, len(unique), LARGE_SEGMENT)
    }
    for path in small:
        if path.name not in written:
            path.unlink(missing_ok=True)
    return len(small) - len(written)


def live_stores(project: Path) -> set[str]:
    """Names of the stores that any commit, experiment or the working tree refers to.

    Raises:
        DataError: the folder is no git repository, so it cannot be known.
    """
    found: set[str] = set()
    for text in _described_in_git(project):
        try:
            found.update(json.loads(text)["stores"])
        except (ValueError, KeyError, TypeError):
            continue  # another file of this name, or of another time
    return found


def dead_stores(root: Path, live: Iterable[str]) -> list[Path]:
    """Stores that are not among the live ones."""
    alive = set(live)
    return [store for store in stores(root) if store.name not in alive]


def remove(store: Path) -> None:
    """Delete a store; half a deleted one must not look like one, so its description goes first."""
    (store / DESCRIPTION).unlink(missing_ok=True)
    shutil.rmtree(store)


def _described_in_git(project: Path) -> Iterator[str]:
    pattern = "data/datasets/*/features/*.json"
    for path in project.glob(pattern):
        yield path.read_text(encoding="utf-8")
    listed = _git(project, "log", "--all", "--format=", "--name-only", "--", f":(glob){pattern}")
    commits = _git(project, "log", "--all", "--format=%H", "--", f":(glob){pattern}").split()
    for commit in commits:
        for name in sorted(set(listed.split("\n")) - {""}):
            shown = subprocess.run(
                ["git", "show", f"{commit}:{name}"],
                cwd=project,
                capture_output=True,
                text=True,
                check=False,
            )
            if shown.returncode == 0:
                yield shown.stdout


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DataError(
            f"{project.absolute()}: git {arguments[0]} failed ({done.stderr.strip()}); run where "
            "the project's history is"
        )
    return done.stdout


def _num_rows(path: Path) -> int:
    return len(read_key_column(path))


def _kind(store: Path) -> tuple[int, str]:
    kept = read_json(store / DESCRIPTION)["fingerprint"]
    return kept["dim"], kept["precision"]
