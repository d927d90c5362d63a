"""Immutable files of keys and vectors: written whole or not at all, checked when read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.features.extractor import Fingerprint
from mmrec.io import DataError, atomic_path, check_schema, open_parquet

KeyArray: TypeAlias = npt.NDArray[np.bytes_]
"""[n] of dtype S16."""
VectorArray: TypeAlias = npt.NDArray[Any]
"""[n, d] float16 or float32."""

SUFFIX: Final = ".parquet"
_ROW_GROUP: Final = 4_096


def segment_schema(dim: int, precision: str) -> pa.Schema:
    """Keys and vectors, never null."""
    value = pa.from_numpy_dtype(np.dtype(precision))
    return pa.schema(
        [
            pa.field("key", schemas.CONTENT_KEY, nullable=False),
            pa.field("embedding", schemas.vector(dim, value), nullable=False),
        ]
    )


def segment_metadata(fingerprint: Fingerprint, libraries: Mapping[str, str]) -> dict[bytes, bytes]:
    """What a segment says about itself."""
    return {
        schemas.FINGERPRINT_KEY: fingerprint.to_json().encode(),
        schemas.LIBRARIES_KEY: json.dumps(dict(libraries), sort_keys=True).encode(),
    }


def write_segment(
    folder: Path, keys: KeyArray, vectors: VectorArray, metadata: Mapping[bytes, bytes]
) -> str:
    """Write one segment and return its name, which follows from its keys.

    A segment of the same name holds the same contents and stays as it is.

    Args:
        folder: of the segments of one fingerprint.
        keys: [n] distinct content keys.
        vectors: [n, d] of these contents.
        metadata: what the file says about itself, the fingerprint among it.
    """
    order = np.argsort(keys)
    keys, vectors = keys[order], vectors[order]
    name = blake2b(keys.tobytes(), digest_size=16).hexdigest() + SUFFIX
    path = folder / name
    if path.exists():
        return name
    schema = segment_schema(vectors.shape[1], vectors.dtype.name)
    columns = [
        pa.FixedSizeBinaryArray.from_buffers(
            schemas.CONTENT_KEY, len(keys), [None, pa.py_buffer(keys.tobytes())]
        ),
        pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.reshape(-1)), type=schema.field("embedding").type
        ),
    ]
    with atomic_path(path) as temporary:
        pq.write_table(
            pa.table(columns, schema=schema.with_metadata(dict(metadata))),
            temporary,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
            row_group_size=_ROW_GROUP,
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


def read_keys(path: Path, fingerprint: bytes, schema: pa.Schema) -> KeyArray:
    """The keys of a segment, in its order.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    with open_parquet(path) as file:
        _check(file, path, fingerprint, schema)
        column = _read(path, lambda: file.read(columns=["key"])).column(0)
    return key_array(column)


def read_segment(path: Path, fingerprint: bytes, schema: pa.Schema) -> tuple[KeyArray, VectorArray]:
    """Keys [n] and vectors [n, d] of a whole segment, every page of it checked.

    Raises:
        DataError: it is no segment of this fingerprint, or is damaged.
    """
    with open_parquet(path) as file:
        _check(file, path, fingerprint, schema)
        table = _read(path, file.read)
    return key_array(table["key"]), _vector_array(table["embedding"])


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
    schema: pa.Schema,
) -> VectorArray:
    """Vectors [n, d] of the given rows; only the row groups that hold them are read.

    Args:
        path: of the segment.
        rows: [n] where the vectors are, by an index that may be of an earlier file.
        keys: [n] what they must be of.
        fingerprint: what they must be made by.
        schema: of segments of that fingerprint.

    Raises:
        DataError: the segment is missing, damaged or not the one that was indexed.
    """
    embedding = schema.field("embedding").type
    found = np.empty((len(rows), embedding.list_size), embedding.value_type.to_pandas_dtype())
    with open_parquet(path) as file:
        _check(file, path, fingerprint, schema)
        if rows.max(initial=-1) >= file.metadata.num_rows:
            raise DataError(f"{path}: {file.metadata.num_rows} rows, fewer than were indexed")
        group_of_row = rows // _ROW_GROUP
        for group in np.unique(group_of_row):
            chosen = group_of_row == group
            table = _read(path, lambda g=int(group): file.read_row_group(g))
            within = rows[chosen] - group * _ROW_GROUP
            if (key_array(table["key"])[within] != keys[chosen]).any():
                raise DataError(f"{path}: holds other keys than were indexed")
            found[chosen] = _vector_array(table["embedding"])[within]
    return found


def _vector_array(column: pa.ChunkedArray) -> VectorArray:
    values = column.combine_chunks().values.to_numpy(zero_copy_only=False)
    vectors: VectorArray = values.reshape(len(column), -1)
    return vectors


def _check(file: pq.ParquetFile, path: Path, fingerprint: bytes, schema: pa.Schema) -> None:
    check_schema(file.schema_arrow, schema, path)
    found = (file.schema_arrow.metadata or {}).get(schemas.FINGERPRINT_KEY)
    if found != fingerprint:
        raise DataError(f"{path}: of another fingerprint; it does not belong here")
    metadata = file.metadata
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    if any(size != _ROW_GROUP for size in sizes[:-1]):
        raise DataError(f"{path}: row groups of {set(sizes)} rows, expected {_ROW_GROUP}")


def _read(path: Path, read: Any) -> pa.Table:
    try:
        return read()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: damaged ({error})") from None


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
