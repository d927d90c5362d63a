"""What a source gave in; its tables, packed pictures and a row per picture link out."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mmrec import schemas
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.io import conform, content_key, replacing_parts, write_json, write_table, write_tables
from mmrec.paths import RawPaths

MAX_IMAGE_BYTES = 64 << 20
"""A larger file is a failed link, not a picture."""

_PART_BYTES = 64 << 20
_PART_ROWS = 4_096
_GROUP_ROWS = 128
"""Rows read at once by `RawImages`."""


def write_raw(raw: RawCatalogue, directory: Path) -> dict[str, object]:
    """Write the tables and pictures of a source, and `summary.json` of what it gave.

    Returns:
        The summary: `items`, `interactions`, `images` (counts of links and contents) and
        `skipped`, what the source held and was not taken, by reason.
    """
    out = RawPaths(directory)
    tables = {
        out.items: (conform(raw.items, schemas.RAW_ITEMS, out.items), schemas.RAW_ITEMS),
        out.interactions: (
            conform(raw.interactions, schemas.RAW_INTERACTIONS, out.interactions),
            schemas.RAW_INTERACTIONS,
        ),
    }
    summary = {
        "items": raw.items.num_rows,
        "interactions": raw.interactions.num_rows,
        "images": fetch_images(raw.image_refs, out.images, out.image_links),
        "skipped": dict(raw.skipped),
    }
    write_tables(tables)
    write_json(summary, out.summary)
    return summary


def fetch_images(refs: Iterable[ImageRef], directory: Path, links_path: Path) -> dict[str, int]:
    """Pack the pictures into `directory` and write a row per link to `links_path`.

    A link that cannot be read is a row with its reason. The files depend on what the
    references hold, not on their order. Memory: one part (64 MiB and at most one picture
    more), and some 150 bytes per link; disk: the pictures twice while it runs.

    Returns:
        Counts: `links`, `ok`, one `failed: <reason>` per reason, `contents`, `bytes`.
    """
    existing = next(path for path in directory.absolute().parents if path.is_dir())
    # Unnamed on disk, so that it is gone whatever ends the process.
    with tempfile.TemporaryFile(dir=existing) as file:
        spill = _Spill(file)
        links = _Links()
        for ref in refs:
            links.add(ref, spill)
        table = links.table()
        write_image_parts(spill.in_key_order(), directory)
    write_table(table, links_path, schemas.IMAGE_LINKS)
    return {
        **links.counts(),
        "contents": len(spill.places),
        "bytes": sum(size for _, size in spill.places.values()),
    }


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


@dataclass
class _Spill:
    """Distinct contents in one temporary file, in the order they came."""

    file: IO[bytes]
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    end: int = 0

    def add(self, data: bytes) -> bytes:
        key = content_key(data)
        if key not in self.places:
            self.places[key] = (self.end, len(data))
            self.file.write(data)
            self.end += len(data)
        return key

    def in_key_order(self) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(self.places):
            offset, size = self.places[key]
            self.file.seek(offset)
            yield key, self.file.read(size)


@dataclass
class _Links:
    rows: list[tuple[str, int, str, str, str, bytes | None, int]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, ref: ImageRef, spill: _Spill) -> None:
        data, reason = _load(ref)
        key = spill.add(data) if data else None
        self.reasons[reason] += 1
        status = "failed" if reason else "ok"
        size = len(data) if data else 0
        self.rows.append((ref.item_id, ref.position, ref.link, status, reason, key, size))

    def counts(self) -> dict[str, int]:
        failed = {f"failed: {key}": self.reasons[key] for key in sorted(self.reasons) if key}
        return {"links": len(self.rows), "ok": self.reasons[""], **failed}

    def table(self) -> pa.Table:
        self.rows.sort(key=lambda row: row[:3])
        columns = list(zip(*self.rows, strict=True)) or [()] * len(schemas.IMAGE_LINKS)
        table = pa.table(
            [
                pa.array(column, kind.type)
                for column, kind in zip(columns, schemas.IMAGE_LINKS, strict=True)
            ],
            schema=schemas.IMAGE_LINKS,
        )
        place = pl.DataFrame(
            {name: pl.Series(table.column(name)) for name in ("item_id", "position")}
        )
        if place.is_duplicated().any():
            item_id, position = place.filter(place.is_duplicated()).row(0)
            raise ValueError(f"item {item_id!r} has two pictures at position {position}")
        return table


def _load(ref: ImageRef) -> tuple[bytes | None, str]:
    """The picture's bytes and no reason, or nothing and why."""
    data = ref.load
    if data is None:
        return None, ref.reason or "missing_file"
    if isinstance(data, Path):
        try:
            if data.stat().st_size > MAX_IMAGE_BYTES:
                return None, "file_too_large"
            data = data.read_bytes()
        except FileNotFoundError:
            return None, "missing_file"
        except (OSError, ValueError) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            return None, f"unreadable: {text}"
    return (data, "") if data else (None, "empty_file")
