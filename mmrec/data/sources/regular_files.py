"""Files that can be read to their end: regular ones, and links only as far as they may lead."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mmrec.io import DataError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class RefusedFileError(Exception):
    """A file is not to be read; the message is a short reason that tables can hold."""


def check_regular(path: Path) -> None:
    """Raise `DataError` if there is something at `path` whose reading might never end."""
    if path.exists() and not path.is_file():
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode), "something else")
        raise DataError(f"{path}: expected a file, found {kind}; put a regular file in its place")


def read_regular(path: Path, *, max_bytes: int, links_within: Path | None) -> bytes:
    """The bytes of a file that nobody has looked at.

    Args:
        path: where it is said to be.
        max_bytes: of the file; never more are held.
        links_within: folder in which it must lie once symbolic links are followed, its own
            and those of the folders above; None for anywhere.

    Raises:
        RefusedFileError: `link_outside_folder`, `not_a_regular_file` or `file_too_large`.
        OSError: there is none, or it cannot be read.
        ValueError: no file can have such a name.
    """
    if links_within is not None and not _lies_in(path, links_within):
        raise RefusedFileError("link_outside_folder")
    if not stat.S_ISREG(path.stat().st_mode):
        raise RefusedFileError("not_a_regular_file")
    # Not waiting for a writer, should a pipe have taken its place just now.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RefusedFileError("not_a_regular_file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise RefusedFileError("file_too_large")
    return data


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
