"""Ages of files by the clock that dates them: not this machine's, where they lie on a server."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path

from mmrec.features.cache.plain import is_plain_file


def now(folder: Path) -> float:
    """The time at which a file that is made in the folder now is dated, in seconds."""
    # Should it stay, it is taken for what a killed writer left.
    probe = folder / f".clock.{uuid.uuid4().hex}.tmp"
    try:
        probe.touch(exist_ok=False)
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what a killed writer left: temporary files that nobody has touched for an hour.

    By the clock that dates them: the writers of a shared cache do not agree on the time.
    """
    left = [path for path in folder.glob(".*.tmp") if is_plain_file(path)]
    # A folder that takes no file is not swept either.
    with suppress(OSError):
        limit = now(folder) - 3600 if left else 0.0
        for path in left:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
