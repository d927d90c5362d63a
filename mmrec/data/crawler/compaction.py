"""The space of pictures with which no link ends any more, given back.

What is still wanted is copied to a file of the next number. One transaction says where it lies
there and that this file is the one; so whatever ends the process, the table and the file that
it names belong together. Files that it does not name are left-overs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from mmrec.atomic import flush

TABLE = "CREATE TABLE IF NOT EXISTS compactions (number INTEGER PRIMARY KEY);"

_IS_WANTED = "EXISTS (SELECT 1 FROM links WHERE links.content_key = contents.content_key)"

logger = logging.getLogger(__name__)


def picture_file(table: sqlite3.Connection, directory: Path) -> Path:
    """The file in which the places of `table` lie."""
    return _path(directory, _number(table))


def remove_leftovers(table: sqlite3.Connection, directory: Path) -> None:
    """Remove files that a compaction has begun, or has replaced."""
    kept = picture_file(table, directory)
    for path in directory.glob("pictures*.bin"):
        if path != kept:
            path.unlink()


def compact(table: sqlite3.Connection, directory: Path) -> None:
    """Give back the space of unwanted pictures, if it is more than that of wanted ones.

    Needs as much disk space as the wanted ones while it runs; without, nothing changes.
    """
    (wanted, end) = table.execute(
        f"SELECT coalesce(sum(num_bytes) FILTER (WHERE {_IS_WANTED}), 0),"
        " coalesce(max(start + num_bytes), 0) FROM contents"
    ).fetchone()
    if end - wanted <= wanted:
        return
    try:
        _rewrite(table, directory)
    except OSError as error:
        table.rollback()
        logger.warning("%s: not compacted (%s)", directory, error)
    else:
        logger.info("%s: gave back %d of %d bytes", directory, end - wanted, end)
    with contextlib.suppress(OSError):
        remove_leftovers(table, directory)


def _rewrite(table: sqlite3.Connection, directory: Path) -> None:
    old, number = picture_file(table, directory), _number(table) + 1
    places = table.execute(
        f"SELECT content_key, start, num_bytes FROM contents WHERE {_IS_WANTED} ORDER BY start"
    ).fetchall()
    moved = []
    with old.open("rb") as source, _path(directory, number).open("wb") as target:
        for key, start, num_bytes in places:
            source.seek(start)
            moved.append((target.tell(), key))
            target.write(source.read(num_bytes))
        target.flush()
        os.fsync(target.fileno())
    flush(directory)
    table.execute(f"DELETE FROM contents WHERE NOT {_IS_WANTED}")
    table.executemany("UPDATE contents SET start = ? WHERE content_key = ?", moved)
    table.execute("INSERT INTO compactions VALUES (?)", (number,))
    table.commit()


def _number(table: sqlite3.Connection) -> int:
    (number,) = table.execute("SELECT coalesce(max(number), 0) FROM compactions").fetchone()
    return int(number)


def _path(directory: Path, number: int) -> Path:
    return directory / (f"pictures-{number}.bin" if number else "pictures.bin")
