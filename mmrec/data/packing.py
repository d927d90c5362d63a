"""Picture bytes in, a folder of a few Parquet files out: never one file per picture."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.atomic import OF_WRITING, WriteError
from mmrec.part_writer import replacing_parts

_PART_BYTES = 64 << 20
_PART_ROWS = 4_096
_GROUP_ROWS = 128
"""Rows read at once by `RawImages`."""


@contextmanager
def spill_file(beside: Path) -> Iterator[IO[bytes]]:
    """A file on the disk of `beside`, without a name, so that it is gone whatever ends the process.

    Raises:
        OSError: with the folder whose disk is full, say.
    """
    folder = next(path for path in beside.absolute().parents if path.is_dir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except OSError as error:
        is_told = isinstance(error, WriteError) or error.filename is not None
        if is_told or error.errno not in OF_WRITING:
            raise
        # By itself it does not say which disk is full.
        raise OSError(error.errno, error.strerror, str(folder)) from None


def write_image_parts(pictures: Iterable[tuple[bytes, bytes]], directory: Path) -> None:
    """Write (key, bytes) in ascending order of key as parts bounded in rows and bytes."""
    keys: list[bytes] = []
    contents: list[bytes] = []
    num_bytes = 0
    with replacing_parts(directory) as next_path:
        for key, data in pictures:
            if keys and (len(keys) == _PART_ROWS or num_bytes + len(data) > _PART_BYTES):
                _write_part(keys, contents, next_path())
                keys, contents, num_bytes = [], [], 0
            keys.append(key)
            contents.append(data)
            num_bytes += len(data)
        # After a full part there is always a picture: no keys means no pictures at all.
        _write_part(keys, contents, next_path())


def _write_part(keys: list[bytes], contents: list[bytes], path: Path) -> None:
    # Pictures are compressed already; dictionaries and statistics of them are waste.
    pq.write_table(
        pa.table([keys, contents], schema=schemas.RAW_IMAGES),
        path,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        row_group_size=_GROUP_ROWS,
    )
