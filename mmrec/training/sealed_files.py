"""Tensors and records on disk that tell when they are not as they were written.

A record is JSON that holds a checksum of itself; the checksums of the files it speaks of
stand in it. So one flipped bit anywhere is noticed, and never continued or ranked with.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mmrec.atomic import flush, writing
from mmrec.io import DataError

STATE = "state.json"
"""The record of a sealed folder."""

_CHECKSUM = "checksum"
_blake2b = partial(hashlib.blake2b, digest_size=16)

T = TypeVar("T")


class DamagedError(DataError):
    """A file is not as it was written."""


def file_checksum(path: Path) -> str:
    """Of the bytes as they lie on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def require_checksum(path: Path, checksum: object) -> None:
    """Raise `DamagedError` unless the file has the checksum that was noted when it was written."""
    if file_checksum(path) != checksum:
        raise DamagedError(f"{path}: damaged (its checksum is another than when it was written)")


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> str:
    """Write tensors by name; returns the file's checksum, to be kept in a record."""
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise _of_system(error, path) from None
    return file_checksum(path)


def read_tensors(path: Path, checksum: object) -> dict[str, Tensor]:
    """Read what `write_tensors` wrote.

    Raises:
        DamagedError: the file has another checksum.
        OSError: it cannot be read.
    """
    require_checksum(path, checksum)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise _of_system(error, path) from None


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its checksum, to be written as JSON."""
    return {**record, _CHECKSUM: _record_checksum(record)}


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a record that was written sealed.

    Raises:
        DamagedError: it is no record, or another than was written.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: damaged (not valid JSON: {error})") from None
    if not isinstance(record, dict):
        raise DamagedError(f"{path}: damaged (found {type(record).__name__}, expected an object)")
    if record.pop(_CHECKSUM, None) != _record_checksum(record):
        raise DamagedError(f"{path}: damaged (its checksum is another than when it was written)")
    return record


class SealedFolder(NamedTuple):
    """A folder of tensors, with a record of them."""

    record: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]  # by file


def write_folder(
    path: Path, files: Mapping[str, Mapping[str, Tensor]], record: Mapping[str, object]
) -> None:
    """Write a folder that is there once it is whole and on disk.

    Args:
        path: of the folder; what is there is replaced.
        files: tensors by the name of their file.
        record: JSON values.

    Raises:
        WriteError: the disk is full, say; nothing is left.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with _removed_on_error(temporary), writing(path, temporary, num_bytes=_num_bytes(files)):
        remove(temporary)
        remove(path)
        temporary.mkdir(parents=True)
        checksums = {name: write_tensors(files[name], temporary / name) for name in files}
        text = json.dumps(sealed({**record, "files": checksums}), indent=2, allow_nan=False)
        (temporary / STATE).write_text(text + "\n", encoding="utf-8")
        for file in (*temporary.iterdir(), temporary):
            flush(file)
        temporary.rename(path)
        flush(path.parent)


def read_folder(path: Path) -> SealedFolder:
    """Read what `write_folder` wrote.

    Raises:
        DamagedError: a file is missing or not as it was written.
        OSError: a file cannot be read.
    """
    record = _readable(path / STATE, read_sealed)
    tensors = {
        name: _readable(path / name, partial(read_tensors, checksum=checksum))
        for name, checksum in record.get("files", {}).items()
    }
    return SealedFolder(record, tensors)


def remove(path: Path) -> None:
    """Delete a folder, or the file or link that has taken its name; or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _readable(path: Path, load: Callable[[Path], T]) -> T:
    try:
        return load(path)
    except FileNotFoundError:
        raise DamagedError(f"{path}: missing") from None
    except OSError as error:
        raise OSError(
            f"{path}: cannot be read ({error.strerror or error}); the checkpoint is kept: make it "
            "readable and run the stage again, or delete its folder to start anew"
        ) from None


@contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError:
        with suppress(OSError):  # it is in nobody's way: the next one replaces it
            remove(folder)
        raise


def _num_bytes(files: Mapping[str, Mapping[str, Tensor]]) -> int:
    return sum(value.nbytes for tensors in files.values() for value in tensors.values())


def _record_checksum(record: Mapping[str, Any]) -> str:
    return _blake2b(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _of_system(error: SafetensorError, path: Path) -> OSError:
    """What the library says of a full disk, as the rest of Python says it."""
    told = re.search(r"os error (\d+)", str(error))
    if told is None:
        return OSError(f"{path}: {error}")
    return OSError(int(told[1]), os.strerror(int(told[1])), str(path))
