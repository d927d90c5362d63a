"""What a source gave in; its tables, packed pictures and a row per picture link out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.packing import spill_file, write_image_parts
from mmrec.data.sources.regular_files import RefusedFileError, read_regular
from mmrec.data.sources.source import ImageRef, RawCatalogue, Url
from mmrec.dataset_paths import RawPaths
from mmrec.io import conform, content_key, write_json, write_table, write_tables

MAX_IMAGE_BYTES = 64 << 20
"""A larger file is a failed link, not a picture."""


@dataclass(frozen=True, slots=True)
class Download:
    """How the download of a link ended.

    Attributes:
        reason: why there is no picture; empty if there is one.
        attempts: tries that it took.
        content_key: of the picture.
        num_bytes: of the picture.
    """

    reason: str
    attempts: int
    content_key: bytes | None
    num_bytes: int


class Downloads(Protocol):
    """Pictures from the web."""

    def fetch(self, urls: Iterable[str]) -> None:
        """Try every link that has no answer yet."""
        ...

    def outcome(self, url: str) -> Download:
        """How a link ended that `fetch` was called with."""
        ...

    def read(self, key: bytes) -> bytes:
        """Bytes of a picture that a link ended with."""
        ...


def write_raw(
    raw: RawCatalogue,
    directory: Path,
    downloads: Downloads | None = None,
    *,
    links_within: Path | None = None,
) -> dict[str, object]:
    """Write the tables and pictures of a source, and `summary.json` of what it gave.

    Args:
        raw: of the source.
        directory: the raw folder.
        downloads: where pictures that are links to the web come from.
        links_within: folder in which picture files lie once symbolic links are followed; one
            that does not is a failed link. None for anywhere.

    Returns:
        The summary: `items`, `interactions`, `images` (counts of links and contents),
        `has_users`, and `skipped`, what the source held and was not taken, by reason.
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
        "images": fetch_images(
            raw.image_refs, out.images, out.image_links, downloads, links_within=links_within
        ),
        "has_users": raw.has_users,
        "skipped": dict(raw.skipped),
    }
    write_tables(tables)
    write_json(summary, out.summary)
    return summary


def fetch_images(
    refs: Iterable[ImageRef],
    directory: Path,
    links_path: Path,
    downloads: Downloads | None = None,
    *,
    links_within: Path | None = None,
) -> dict[str, int]:
    """Pack the pictures into `directory` and write a row per link to `links_path`.

    A link that cannot be read is a row with its reason. The files depend on what the
    references hold, not on their order. Memory: one part (64 MiB and at most one picture
    more), and some 150 bytes per link; disk: the pictures twice while it runs.

    Args:
        refs: the pictures.
        directory: of the parts.
        links_path: of the table.
        downloads: brings those on the web.
        links_within: folder in which files must lie once symbolic links are followed; None
            for anywhere.

    Returns:
        Counts: `links`, `ok`, one `failed: <reason>` per reason, `contents`, `bytes`.
    """
    with spill_file(directory) as file:
        spill, links = _Spill(file), _Links()
        remote: list[tuple[ImageRef, str]] = []
        for ref in refs:
            if isinstance(ref.load, Url):
                remote.append((ref, ref.load.address))
            else:
                links.add_local(ref, spill, links_within)
        if remote:
            _download(remote, downloads, links, spill)
        table = links.table()
        write_image_parts(spill.in_key_order(), directory)
    write_table(table, links_path, schemas.IMAGE_LINKS)
    return {
        **links.counts(),
        "contents": len(spill.places) + len(spill.elsewhere),
        "bytes": sum(size for _, size in (*spill.places.values(), *spill.elsewhere.values())),
    }


def _download(
    remote: list[tuple[ImageRef, str]],
    downloads: Downloads | None,
    links: _Links,
    spill: _Spill,
) -> None:
    if downloads is None:
        raise ValueError(
            f"{len(remote)} pictures are links to the web (first: {remote[0][1]}) and nothing"
            " says how to download them; set `crawl` of the dataset as examples/amazon.yaml does"
        )
    downloads.fetch(url for _, url in remote)
    for ref, url in remote:
        found = downloads.outcome(url)
        links.add(ref, found)
        if found.content_key is not None and found.content_key not in spill.places:
            spill.elsewhere[found.content_key] = (downloads, found.num_bytes)


@dataclass
class _Spill:
    """Distinct contents in one temporary file, in the order they came, or kept elsewhere."""

    file: IO[bytes]
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    elsewhere: dict[bytes, tuple[Downloads, int]] = field(default_factory=dict)
    end: int = 0

    def add(self, data: bytes) -> bytes:
        key = content_key(data)
        if key not in self.places:
            self.places[key] = (self.end, len(data))
            self.file.write(data)
            self.end += len(data)
        return key

    def in_key_order(self) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted([*self.places, *self.elsewhere]):
            if key in self.elsewhere:
                yield key, self.elsewhere[key][0].read(key)
            else:
                offset, size = self.places[key]
                self.file.seek(offset)
                yield key, self.file.read(size)


@dataclass
class _Links:
    rows: list[tuple[str, int, str, str, str, int, bytes | None, int]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def add_local(self, ref: ImageRef, spill: _Spill, links_within: Path | None) -> None:
        data, reason = _load(ref, links_within)
        if data is None:
            self.add(ref, Download(reason, ref.attempts, None, 0))
        else:
            self.add(ref, Download("", ref.attempts, spill.add(data), len(data)))

    def add(self, ref: ImageRef, found: Download) -> None:
        self.reasons[found.reason] += 1
        status = "failed" if found.reason else "ok"
        place = (ref.item_id, ref.position, ref.link, status)
        self.rows.append((*place, found.reason, found.attempts, found.content_key, found.num_bytes))

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


def _load(ref: ImageRef, links_within: Path | None) -> tuple[bytes | None, str]:
    """The picture's bytes and no reason, or nothing and why."""
    data = ref.load
    if data is None or isinstance(data, Url):
        return None, ref.reason or "missing_file"
    if isinstance(data, Path):
        try:
            data = read_regular(data, max_bytes=MAX_IMAGE_BYTES, links_within=links_within)
        except RefusedFileError as fault:
            return None, str(fault)
        except FileNotFoundError:
            return None, "missing_file"
        except (OSError, ValueError) as error:
            text = error.strerror if isinstance(error, OSError) else str(error)
            return None, f"unreadable: {text}"
    return (data, "") if data else (None, "empty_file")
