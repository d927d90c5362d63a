"""Immutable files of keys and values: written whole or not at all, checked when read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.atomic import atomic_path, flush
from mmrec.features.cache.layout import Layout, ValueArray, layout_of, level_in
from mmrec.features.cache.plain import is_plain_file
from mmrec.features.contract import Fingerprint
from mmrec.io import DataError, reraise_if_of_machine

KeyArray: TypeAlias = npt.NDArray[np.bytes_]
"""[n] of dtype S16."""

T = TypeVar("T")

SUFFIX: Final = ".parquet"


def segment_metadata(fingerprint: Fingerprint, libraries: Mapping[str, str]) -> dict[bytes, bytes]:
    """What a segment says about itself."""
    return {
        schemas.FINGERPRINT_KEY: fingerprint.to_json().encode(),
        schemas.LIBRARIES_KEY: json.dumps(dict(libraries), sort_keys=True).encode(),
    }


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
    name = segment_name(keys)
    path = folder / name
    if is_plain_file(path):
        return name
    key_column = pa.FixedSizeBinaryArray.from_buffers(
        schemas.CONTENT_KEY, len(keys), [None, pa.py_buffer(keys.tobytes())]
    )
    schema = layout.schema.with_metadata(dict(metadata))
    table = pa.table([key_column, *layout.to_columns(values)], schema=schema)
    with atomic_path(path, num_bytes=table.nbytes) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
            row_group_size=layout.row_group,
        )
    flush(folder)
    return name


def segment_name(keys: KeyArray) -> str:
    """Name of the segment of these keys, ascending."""
    return blake2b(keys.tobytes(), digest_size=16).hexdigest() + SUFFIX


def segment_files(folder: Path) -> list[Path]:
    """The segments in a folder, in order of their names."""
    return sorted(
        path
        for path in folder.glob(f"*{SUFFIX}")
        if not path.name.startswith(".") and is_plain_file(path)
    )


def read_keys(path: Path, fingerprint: bytes, layout: Layout) -> KeyArray:
    """The keys of a segment, in its order.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    with _open(path) as file:
        _check(file, path, fingerprint, layout)
        column = _read(path, lambda: file.read(columns=["key"])).column(0)
    return key_array(column)


def segment_layout(path: Path, fingerprint: Fingerprint) -> Layout:
    """How values of the fingerprint lie in a segment.

    Raises:
        DataError: the file is damaged.
    """
    with _open(path) as file:
        level = level_in(file.schema_arrow)
    return layout_of(level, fingerprint.dim, fingerprint.precision)


def read_segment(path: Path, fingerprint: bytes, layout: Layout) -> tuple[KeyArray, ValueArray]:
    """Keys [n] and values of a whole segment, every page of it checked.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    with _open(path) as file:
        _check(file, path, fingerprint, layout)
        return _read(path, lambda: _keys_and_values(file.read(), layout))


def read_whole_segment(path: Path, fingerprint: Fingerprint) -> tuple[KeyArray, ValueArray]:
    """As `read_segment`, of values that lie in whatever way; none of them may be infinite.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    layout = segment_layout(path, fingerprint)
    keys, values = read_segment(path, fingerprint.to_json().encode(), layout)
    if not layout.usable(values).all():
        raise DataError(f"{path}: holds values that are not finite")
    return keys, values


def key_array(column: pa.ChunkedArray | pa.FixedSizeBinaryArray) -> KeyArray:
    """Content keys as an array, without a Python object for each."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [
        np.frombuffer(chunk.buffers()[1], "S16", len(chunk), offset=chunk.offset * 16)
        for chunk in chunks
        if len(chunk)
    ]
    return np.concatenate(parts) if parts else np.empty(0, "S16")


def read_rows(
    path: Path,
    rows: npt.NDArray[np.int64],
    keys: KeyArray,
    fingerprint: bytes,
    layout: Layout,
) -> ValueArray:
    """Values of the given rows; only the row groups that hold them are read.

    Args:
        path: of the segment.
        rows: [n] where the vectors are, by an index that may be of an earlier file.
        keys: [n] what they must be of.
        fingerprint: what they must be made by.
        layout: how they lie in the file.

    Raises:
        DataError: the segment is missing, damaged or not the one that was indexed.
    """
    found = layout.empty(len(rows))
    with _open(path) as file:
        _check(file, path, fingerprint, layout)
        if rows.max(initial=-1) >= file.metadata.num_rows:
            raise DataError(f"{path}: {file.metadata.num_rows} rows, fewer than were indexed")
        ends = _group_sizes(file).cumsum()
        group_of_row = np.searchsorted(ends, rows, side="right")
        for group in np.unique(group_of_row):
            chosen = group_of_row == group
            read = partial(_row_group, file, int(group), layout)
            held, values = _read(path, read)
            within = rows[chosen] - (ends[group] - len(held))
            if (held[within] != keys[chosen]).any():
                raise DataError(f"{path}: holds other keys than were indexed")
            found[chosen] = values[within]
    return found


def _row_group(file: pq.ParquetFile, group: int, layout: Layout) -> tuple[KeyArray, ValueArray]:
    return _keys_and_values(file.read_row_group(group), layout)


def _keys_and_values(table: pa.Table, layout: Layout) -> tuple[KeyArray, ValueArray]:
    return key_array(table["key"]), layout.from_columns(table)


def _open(path: Path) -> pq.ParquetFile:
    """As any Parquet file is opened; whoever meets a damaged one sets it aside and says so."""
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise DataError(f"{path}: gone since it was listed") from None
    except (pa.ArrowInvalid, OSError) as error:
        reraise_if_of_machine(error)
        raise DataError(f"{path}: not a readable Parquet file ({error})") from None


def _check(file: pq.ParquetFile, path: Path, fingerprint: bytes, layout: Layout) -> None:
    if problems := schemas.differences(file.schema_arrow, layout.schema):
        raise DataError(f"{path}: {'; '.join(problems)}")
    found = (file.schema_arrow.metadata or {}).get(schemas.FINGERPRINT_KEY)
    if found != fingerprint:
        raise DataError(f"{path}: of another fingerprint; it does not belong here")


def _group_sizes(file: pq.ParquetFile) -> npt.NDArray[np.int64]:
    """[G] rows of each row group: earlier versions of this code made larger ones."""
    metadata = file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return np.array(sizes, np.int64)


def _read(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    # Of Arrow's errors the invalid ones are ValueErrors.
    except (ValueError, OSError) as error:
        reraise_if_of_machine(error)
        raise DataError(f"{path}: damaged ({error})") from None
