"""Immutable files of keys and values: written whole or not at all, checked when read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.features.cache.layout import Layout, ValueArray
from mmrec.io import DataError, atomic_path, check_schema, open_parquet

KeyArray: TypeAlias = npt.NDArray[np.bytes_]
"""[n] of dtype S16."""

T = TypeVar("T")

SUFFIX: Final = ".parquet"


def write_segment(
    folder: Path,
    keys: KeyArray,
    values: ValueArray,
    layout: Layout,
    metadata: Mapping[bytes, bytes],
) -> str:
    """Write one segment and return its name, which follows from its keys.

    A segment of the same name holds the same contents and stays as it is.

    Args:
        folder: of the segments of one fingerprint.
        keys: [n] distinct content keys.
        values: of these contents.
        layout: how they lie in the file.
        metadata: what the file says about itself, the fingerprint among it.
    """
    order = np.argsort(keys)
    keys, values = keys[order], values[order]
    name = blake2b(keys.tobytes(), digest_size=16).hexdigest() + SUFFIX
    path = folder / name
    if path.exists():
        return name
    key_column = pa.FixedSizeBinaryArray.from_buffers(
        schemas.CONTENT_KEY, len(keys), [None, pa.py_buffer(keys.tobytes())]
    )
    schema = layout.schema.with_metadata(dict(metadata))
    with atomic_path(path) as temporary:
        pq.write_table(
            pa.table([key_column, *layout.to_columns(values)], schema=schema),
            temporary,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
            row_group_size=layout.row_group,
        )
    _flush_folder(folder)
    return name


def segment_files(folder: Path) -> list[Path]:
    """The segments in a folder, in order of their names."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def remove_abandoned(folder: Path) -> None:
    """Remove what a killed writer left: temporary files that nobody has touched for an hour."""
    limit = time.time() - 3600
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                path.unlink()


def read_keys(path: Path, fingerprint: bytes, layout: Layout) -> KeyArray:
    """The keys of a segment, in its order.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    with open_parquet(path) as file:
        _check(file, path, fingerprint, layout)
        column = _read(path, lambda: file.read(columns=["key"])).column(0)
    return key_array(column)


def read_key_column(path: Path) -> KeyArray:
    """The keys of a segment of whatever fingerprint, in its order.

    Raises:
        DataError: it is damaged.
    """
    with open_parquet(path) as file:
        return key_array(_read(path, lambda: file.read(columns=["key"])).column(0))


def key_array(column: pa.ChunkedArray | pa.FixedSizeBinaryArray) -> KeyArray:
    """Content keys as an array, without a Python object for each."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [
        np.frombuffer(chunk.buffers()[1], "S16", len(chunk), offset=chunk.offset * 16)
        for chunk in chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0, "S16")


def read_rows(path: Path, rows: npt.NDArray[np.int64], layout: Layout) -> ValueArray:
    """Values of the given rows; only the row groups that hold them are read.

    Raises:
        DataError: the segment is missing or damaged.
    """
    found = layout.empty(len(rows))
    with open_parquet(path) as file:
        check_schema(file.schema_arrow, layout.schema, path)
        group_of_row = rows // layout.row_group
        for group in np.unique(group_of_row):
            chosen = group_of_row == group
            values = _read(path, partial(_group, file, int(group), layout))
            found[chosen] = values[rows[chosen] - group * layout.row_group]
    return found


def _group(file: pq.ParquetFile, group: int, layout: Layout) -> ValueArray:
    return layout.from_columns(file.read_row_group(group, layout.schema.names[1:]))


def _check(file: pq.ParquetFile, path: Path, fingerprint: bytes, layout: Layout) -> None:
    check_schema(file.schema_arrow, layout.schema, path)
    found = (file.schema_arrow.metadata or {}).get(schemas.FINGERPRINT_KEY)
    if found != fingerprint:
        raise DataError(f"{path}: of another fingerprint; it does not belong here")
    metadata = file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    if any(size != layout.row_group for size in sizes[:-1]):
        raise DataError(f"{path}: row groups of {set(sizes)} rows, expected {layout.row_group}")


def _read(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    # Of Arrow's errors the invalid ones are ValueErrors.
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: damaged ({error})") from None


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
