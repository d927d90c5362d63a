"""Tables as folders of parts: written whole, in place of the parts that were there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from mmrec.atomic import atomic_path
from mmrec.io import conform, part_files


@contextmanager
def replacing_parts(directory: Path) -> Iterator[Callable[[], Path]]:
    """Give temporary paths of part 0, 1, …; together they replace all parts of the folder.

    They do at the end and only if all went well: no reader sees parts of two writers.
    """
    earlier = part_files(directory)
    with ExitStack() as parts:
        names = (f"part-{number:05d}.parquet" for number in count())
        yield lambda: parts.enter_context(atomic_path(directory / next(names)))
        for path in earlier:
            path.unlink()


class PartWriter:
    """Writes a table as `part-00000.parquet`, …, which replace what the folder held at the end.

    Rows are buffered up to `rows_per_part`; nothing depends on how they arrive in pieces.
    An empty table is one part without rows, so that its schema and metadata survive.
    Vectors and pictures do not compress: parts have no dictionary and no statistics.
    """

    def __init__(self, directory: Path, schema: pa.Schema, *, rows_per_part: int = 65_536) -> None:
        self._directory = directory
        self._schema = schema
        self._rows_per_part = rows_per_part
        self._pending: list[pa.Table] = []
        self._num_pending = 0
        self._is_empty = True
        self._exits = ExitStack()

    def write(self, table: pa.Table) -> None:
        """Append rows; full parts go to disk."""
        self._pending.append(conform(table, self._schema, self._directory))
        self._num_pending += table.num_rows
        while self._num_pending >= self._rows_per_part:
            self._flush(self._rows_per_part)

    def _flush(self, num_rows: int) -> None:
        rows = pa.concat_tables(self._pending) if self._pending else self._schema.empty_table()
        part = rows.slice(0, num_rows).combine_chunks()
        self._pending = [rows.slice(num_rows)]
        self._num_pending = rows.num_rows - part.num_rows
        pq.write_table(
            part.replace_schema_metadata(self._schema.metadata),
            self._next_path(),
            compression="none",
            use_dictionary=False,
            write_statistics=False,
            write_page_checksum=True,
            row_group_size=16_384,
        )
        self._is_empty = False

    def _finish(self, kind: object, *_: object) -> None:
        if kind is None and (self._num_pending or self._is_empty):
            self._flush(self._num_pending)

    def __enter__(self) -> Self:
        self._next_path = self._exits.enter_context(replacing_parts(self._directory))
        self._exits.push(self._finish)
        return self

    def __exit__(self, *caught: Any) -> None:
        self._exits.__exit__(*caught)
