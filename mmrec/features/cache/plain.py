"""What may be opened: files of their own. A pipe would be waited for, a link leads elsewhere."""

from __future__ import annotations

import logging
import stat
from functools import cache
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_KINDS: Final = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_plain_file(path: Path) -> bool:
    """Whether there is a file of its own; says, once, of anything else what it is."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if kind == stat.S_IFREG:
        return True
    _say(path, _KINDS.get(kind, "something else"))
    return False


@cache
def _say(path: Path, kind: str) -> None:
    logger.warning("%s: %s, expected a file; it is left alone, delete it", path, kind)
