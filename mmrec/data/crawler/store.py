"""What a crawl has fetched so far: a table of links and one file of packed pictures.

A picture's bytes are written and flushed to disk before the transaction that speaks of
them is committed. So whatever ends the process, every link in the table has its picture,
and at most the links since the last commit are fetched again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mmrec.data.crawler import compaction
from mmrec.io import DataError, content_key

_FORMAT = 2
_READABLE = (1, _FORMAT)
_TABLES = f"""
{compaction.TABLE}
CREATE TABLE IF NOT EXISTS links (
    url TEXT PRIMARY KEY,
    edition TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    content_key BLOB,
    etag TEXT,
    last_modified TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents (
    content_key BLOB PRIMARY KEY,
    start INTEGER NOT NULL,
    num_bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_of_content ON links (content_key);
"""


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link ended: with a picture (`content_key`), or with a reason why not.

    Attributes:
        edition: of the crawl that asked for it.
        reason: empty if there is a picture.
        attempts: tries of that crawl.
        content_key: of the picture.
        etag: by which the server recognises that the picture has not changed.
        last_modified: the same as a time.
    """

    edition: str
    reason: str
    attempts: int
    content_key: bytes | None = None
    etag: str | None = None
    last_modified: str | None = None


class DownloadStore:
    """Links and pictures in one folder, for one process at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            self._lock(opened)
            with self._named_errors():
                self._table = sqlite3.connect(directory / "links.sqlite")
                opened.callback(self._table.close)
                self._prepare()
                self._path = compaction.picture_file(self._table, directory)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            opened.callback(os.close, self._file)
            self._opened = opened.pop_all()

    def _lock(self, opened: contextlib.ExitStack) -> None:
        lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        opened.callback(os.close, lock)
        try:
            # Freed by the system, however the process ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"{self._directory}: another crawl of this dataset is running;"
                " wait for its end, or stop it"
            ) from None

    def _prepare(self) -> None:
        (found,) = self._table.execute("PRAGMA user_version").fetchone()
        if found not in (0, *_READABLE):
            raise DataError(
                f"{self._directory}: found a store of format {found}, expected {_FORMAT};"
                " delete the folder to download everything afresh"
            )
        # No other process is let in anyway; so no query has to ask the file system for a lock.
        self._table.execute("PRAGMA locking_mode = EXCLUSIVE")
        # The quickest journal that needs nothing of the file system but a flush.
        self._table.execute("PRAGMA journal_mode = PERSIST")
        self._table.executescript(_TABLES)
        self._table.execute(f"PRAGMA user_version = {_FORMAT}")
        compaction.remove_leftovers(self._table, self._directory)
        self._forget_cut()
        compaction.compact(self._table, self._directory)
        (end,) = self._table.execute(
            "SELECT coalesce(max(start + num_bytes), 0) FROM contents"
        ).fetchone()
        # What lies behind it was never committed.
        self._end = int(end)

    def _forget_cut(self) -> None:
        path = compaction.picture_file(self._table, self._directory)
        length = path.stat().st_size if path.exists() else 0
        cut = self._table.execute(
            "SELECT content_key FROM contents WHERE start + num_bytes > ?", (length,)
        ).fetchall()
        self._forget([key for (key,) in cut])

    def _forget(self, keys: list[bytes]) -> None:
        for table in ("links", "contents"):
            self._table.executemany(
                f"DELETE FROM {table} WHERE content_key = ?",
                [(key,) for key in keys],
            )
        self._table.commit()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(
                f"{self._directory / 'links.sqlite'}: {error}; free disk space if it is full,"
                " else delete the folder to download everything afresh"
            ) from None

    def find(self, url: str) -> LinkState | None:
        """How the link ended, if it has been tried."""
        with self._named_errors():
            row = self._table.execute(
                "SELECT edition, reason, attempts, content_key, etag, last_modified"
                " FROM links WHERE url = ?",
                (url,),
            ).fetchone()
        return None if row is None else LinkState(*row)

    def put(self, url: str, state: LinkState) -> None:
        """Say how a link ended; kept from the next `commit` on."""
        with self._named_errors():
            self._table.execute(
                "INSERT OR REPLACE INTO links VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    url,
                    state.edition,
                    state.reason,
                    state.attempts,
                    state.content_key,
                    state.etag,
                    state.last_modified,
                ),
            )

    def add_picture(self, data: bytes) -> bytes:
        """Keep a picture, once; returns its key."""
        key = content_key(data)
        if self._place(key) is None:
            written = 0
            try:
                while written < len(data):
                    written += os.pwrite(self._file, data[written:], self._end + written)
            except OSError as error:
                # By itself it does not say which disk is full.
                raise OSError(error.errno, error.strerror, str(self._path)) from None
            with self._named_errors():
                self._table.execute(
                    "INSERT INTO contents VALUES (?, ?, ?)", (key, self._end, len(data))
                )
            self._end += len(data)
        return key

    def num_bytes(self, key: bytes) -> int:
        """Length of a picture."""
        place = self._place(key)
        return 0 if place is None else place[1]

    def read(self, key: bytes) -> bytes:
        """A picture's bytes.

        Raises:
            DataError: they are not what was written; such pictures are forgotten.
        """
        start, length = self._place(key) or (0, 0)
        data = os.pread(self._file, length, start)
        if content_key(data) == key:
            return data
        places = self._table.execute("SELECT content_key, start, num_bytes FROM contents")
        damaged = [
            found
            for found, start, length in places.fetchall()
            if content_key(os.pread(self._file, length, start)) != found
        ]
        self._forget(damaged)
        raise DataError(
            f"{self._path}: {len(damaged)} pictures are damaged and now"
            " forgotten; run the stage again to download them again"
        )

    def _place(self, key: bytes) -> tuple[int, int] | None:
        with self._named_errors():
            row = self._table.execute(
                "SELECT start, num_bytes FROM contents WHERE content_key = ?", (key,)
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def commit(self) -> None:
        """Make everything so far survive whatever comes."""
        os.fsync(self._file)
        with self._named_errors():
            self._table.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error, that is the one to hear of.
        muted = (DataError, OSError) if error is not None else ()
        try:
            with contextlib.suppress(*muted):
                self.commit()
        finally:
            self._opened.close()
