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

from mmrec.features.cache.layout import Layout, layout_of, level_in
from mmrec.features.cache.segments import (
    key_array,
    read_key_column,
    segment_files,
    write_segment,
)
from mmrec.features.cache.store import DESCRIPTION
from mmrec.io import DataError, open_parquet, read_json

logger = logging.getLogger(__name__)

_DESCRIPTIONS: Final = ("data/datasets/*/features/*.json", "data/datasets/*/keywords.json")
"""What stages leave in git about the stores they used."""


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
    files = segment_files(store / "segments")
    if not files:
        return 0
    layout = _layout(store, files[0])
    small = [path for path in files if _num_rows(path) < layout.segment_rows]
    if len(small) < 2:
        return 0
    tables = []
    for path in small:
        with open_parquet(path) as file:
            metadata = file.schema_arrow.metadata
            tables.append(file.read())
    keys = np.concatenate([key_array(table["key"]) for table in tables])
    values = np.concatenate([layout.from_columns(table) for table in tables])
    unique, first = np.unique(keys, return_index=True)
    written = set()
    for start in range(0, len(unique), layout.segment_rows):
        chosen = slice(start, start + layout.segment_rows)
        written.add(
            write_segment(
                store / "segments", unique[chosen], values[first[chosen]], layout, metadata
            )
        )
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
    for pattern in _DESCRIPTIONS:
        for path in project.glob(pattern):
            yield path.read_text(encoding="utf-8")
    globs = [f":(glob){pattern}" for pattern in _DESCRIPTIONS]
    listed = _git(project, "log", "--all", "--format=", "--name-only", "--", *globs)
    commits = _git(project, "log", "--all", "--format=%H", "--", *globs).split()
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


def _layout(store: Path, segment: Path) -> Layout:
    kept = read_json(store / DESCRIPTION)["fingerprint"]
    with open_parquet(segment) as file:
        return layout_of(level_in(file.schema_arrow), kept["dim"], kept["precision"])
