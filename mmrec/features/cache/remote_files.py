"""Files of the cache on a DVC remote: listed, fetched and replaced, whole or not at all."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mmrec.atomic import atomic_path
from mmrec.features.cache.patience import Heartbeat, patiently

if TYPE_CHECKING:
    from dvc_objects.fs.base import FileSystem

logger = logging.getLogger(__name__)

_LONGEST_SILENCE_S: Final = 30.0
_LONGEST_SILENT_UPLOAD_S: Final = 600.0
"""Of uploads many filesystems tell nothing before a file, or a large part of it, is there."""


class RemoteError(OSError):
    """The remote refused or failed; the message says where and what to do."""


class RemoteFiles:
    """A folder on a DVC remote, by the remote's own filesystem and credentials."""

    def __init__(self, filesystem: FileSystem, url: str) -> None:
        """Use the folder `url` of a remote."""
        self._fs = filesystem
        self.url = url

    def path(self, *parts: str) -> str:
        """Where something lies, as messages say it."""
        path: str = self._fs.join(self.url, *parts)
        return path

    def folders(self, *parts: str) -> list[str]:
        """Names of the folders in a folder."""
        return sorted(name for name, entry in self._entries(*parts) if entry["type"] == "directory")

    def files(self, *parts: str) -> dict[str, int | None]:
        """Names and sizes of the files in a folder; what is no file is named and left alone."""
        found: dict[str, int | None] = {}
        for name, entry in self._entries(*parts):
            if entry["type"] == "file" and not entry.get("islink"):
                found[name] = entry.get("size")
            else:
                logger.warning(
                    "%s: neither a file of its own nor to be read as one (%s); it is left alone, "
                    "delete it on the remote",
                    self.path(*parts, name),
                    "link" if entry.get("islink") else entry["type"],
                )
        return found

    def get(self, target: Path, *parts: str) -> None:
        """Bring a file to `target`.

        Raises:
            FileNotFoundError: there is none.
            RemoteError: there is something that is no file.
        """
        with atomic_path(target) as temporary:
            self.get_to(temporary, *parts)

    def get_to(self, temporary: Path, *parts: str) -> None:
        """Bring a file to a temporary path, as `get` does."""
        source = self.path(*parts)
        patiently(lambda heard: self._download(source, temporary, heard), _LONGEST_SILENCE_S)

    def put(self, path: Path, *parts: str) -> None:
        """Bring a file to the remote, in place of what is there under this name.

        Raises:
            RemoteError: the remote did not take it.
        """
        target = self.path(*parts)
        with told(target, "written"):
            patiently(lambda heard: self._upload(path, target, heard), _LONGEST_SILENT_UPLOAD_S)

    def _entries(self, *parts: str) -> list[tuple[str, Any]]:
        url = self.path(*parts)
        try:
            entries: list[Any] = patiently(
                lambda _: list(self._fs.ls(url, detail=True)), _LONGEST_SILENCE_S
            )
        except (FileNotFoundError, NotADirectoryError):
            return []
        named = [(self._fs.name(str(entry["name"]).rstrip("/")), entry) for entry in entries]
        return [(name, entry) for name, entry in named if name and not name.startswith(".")]

    def _has_only_files(self) -> bool:
        from dvc_objects.fs.base import ObjectFileSystem

        # An object store shows an object when it is whole, and has no folders, pipes or links.
        return isinstance(self._fs, ObjectFileSystem)

    def _download(self, source: str, temporary: Path, heard: Heartbeat) -> None:
        if not self._has_only_files():
            entry: Any = self._fs.info(source)
            if entry["type"] != "file" or entry.get("islink"):
                # Whoever opened a pipe would wait for its writer.
                raise RemoteError(f"{source}: no file of its own; delete it on the remote")
        self._fs.get_file(source, str(temporary), callback=heard)

    def _upload(self, path: Path, target: str, heard: Heartbeat) -> None:
        if self._has_only_files():
            self._fs.put_file(str(path), target, callback=heard)
            return
        self._fs.makedirs(self._fs.parent(target), exist_ok=True)
        temporary = self._fs.join(self._fs.parent(target), f".{uuid.uuid4().hex}.tmp")
        self._fs.put_file(str(path), temporary, callback=heard)
        self._fs.mv(temporary, target)


@contextmanager
def told(where: str, done: str) -> Iterator[None]:
    """Say of whatever a filesystem raises where it happened and what to do."""
    try:
        yield
    except RemoteError:
        raise
    except Exception as error:
        raise RemoteError(
            f"{where}: could not be {done} ({type(error).__name__}: {error}); see that the remote "
            "answers and allows it; its credentials are DVC's (`dvc remote modify --local`)"
        ) from error
