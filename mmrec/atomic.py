"""Files written whole or not at all, and in words what kept one from being written.

A file is written under a temporary name in its own folder, flushed to disk and renamed, so that
a reader never sees half of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final


class WriteError(OSError):
    """A file cannot be written; says why, how much there is room for, and what to do."""


ADVICE: Final = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there, or have the quota raised",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f) or take another file system",
    errno.EROFS: "make it writable, or take the project where you can write",
    errno.EACCES: "give yourself the right to it",
    errno.EPERM: "give yourself the right to it",
    errno.ENOTDIR: "move away the file that stands where a folder must be",
    errno.EEXIST: "move away the file that stands where a folder must be",
    errno.EISDIR: "move away the folder that stands where a file must be",
    errno.ENAMETOOLONG: "shorten the names in params.yaml",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.EIO: "the disk reports a fault: check it",
}
"""What to do about an error of the operating system."""
OF_WRITING: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Errors that speak of the disk written to, whatever they name."""


def in_words(error: OSError) -> str:
    """An error of the operating system with its file and what to do."""
    if error.errno not in ADVICE or isinstance(error, WriteError):
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror}; {ADVICE[error.errno]}, then run it again"


@contextmanager
def atomic_path(path: Path, *, num_bytes: int | None = None) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path`, else it vanishes.

    Args:
        path: of the file; its folder is made.
        num_bytes: what is to be written, about, where that is known.

    Raises:
        WriteError: the disk is full or read-only, say; `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with writing(path, temporary, num_bytes=num_bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        with suppress(OSError):  # it has its name, or the disk takes no change at all
            temporary.unlink()


@contextmanager
def writing(path: Path, temporary: Path, *, num_bytes: int | None = None) -> Iterator[None]:
    """Say in words what keeps `path` from being written under a temporary name.

    Errors that speak of something else pass: more than the writing may happen inside.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        here = {str(place) for place in (path, *path.parents)}
        mine = str(error.filename) in here or temporary.name in str(error)
        if not mine and error.errno not in OF_WRITING:
            raise
        raise _write_error(error, path, num_bytes) from None


def _write_error(error: OSError, path: Path, num_bytes: int | None) -> WriteError:
    facts = [os.strerror(error.errno) if error.errno else str(error)]
    if num_bytes is not None:
        facts.append(f"about {num_bytes:,} bytes to write")
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    with suppress(OSError):
        facts.append(f"{shutil.disk_usage(folder).free:,} bytes free on its disk")
    advice = ADVICE.get(error.errno or 0, "mend that")
    told = WriteError(
        f"{path}: cannot be written ({'; '.join(facts)}); {advice}, then run it again: nothing is "
        "left half-written"
    )
    told.errno = error.errno
    return told


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
