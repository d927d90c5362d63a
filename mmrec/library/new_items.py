"""A table of items that a run was not trained with in; what cleaning makes of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import picture_fault
from mmrec.data.item_content import make_sentences
from mmrec.data.sentences import repair_line
from mmrec.data.sources import columns
from mmrec.data.sources.raw_tables import build_items
from mmrec.data.sources.source_table import SourceTable, read_source_table
from mmrec.ids import require_once
from mmrec.io import DataError, content_key
from mmrec.library.dataset import frame_of

PICTURES: Final = "images"
"""Column of the paths of pictures, from the table's folder on, separated by `|`."""


class NewItems(NamedTuple):
    """Items as cleaning leaves them.

    Attributes:
        items: `item_id`, and `title`, which is the empty string where there is none.
        sentences: SENTENCES.
        images: IMAGES.
        pictures: bytes by content key.
    """

    items: pl.DataFrame
    sentences: pa.Table
    images: pa.Table
    pictures: Mapping[bytes, bytes]


def read_new_items(
    path: Path,
    known: Mapping[str, int],
    *,
    text_fields: Sequence[str],
    max_sentences: int,
    max_images: int,
) -> NewItems:
    """Read and clean a table with `item_id` and, where there are any, texts and `images`.

    Args:
        path: CSV, TSV or Parquet.
        known: items of the catalogue.
        text_fields: columns that are read, `title` among them, as `clean` of the dataset says.
        max_sentences: of an item, likewise.
        max_images: of an item, likewise.

    Raises:
        DataError: the table cannot be read, has no items, or a picture is missing or none.
        ValueError: an item is there twice, or in the catalogue already.
    """
    names = [*dict.fromkeys(["title", *text_fields])]
    table = read_source_table(path, ["item_id"], optional=[*names, PICTURES])
    there = [name for name in names if name in table.frame.columns]
    frame = _frame(table, there)
    _check(path, frame, known)
    raw = frame_of(build_items(frame, {name: f"text:{name}" for name in there if name != "title"}))
    title = pl.col("title").map_elements(repair_line, return_dtype=pl.String)
    repaired = raw.with_columns(title=title)
    told = [name for name in text_fields if _is_told(repaired, name)]
    sentences, _ = make_sentences(repaired, text_fields=told, max_sentences=max_sentences)
    images, pictures = _pictures(table, frame, max_images)
    return NewItems(
        repaired.select("item_id", pl.col("title").fill_null("")),
        sentences.to_arrow().cast(schemas.SENTENCES),
        images,
        pictures,
    )


def _frame(table: SourceTable, names: Sequence[str]) -> pl.DataFrame:
    no_title = pl.Series("title", [None] * table.frame.height, dtype=pl.String)
    texts = [columns.as_text(table, name) for name in names]
    title = next((text for text in texts if text.name == "title"), no_title)
    fields = [text.alias(f"text:{text.name}") for text in texts if text.name != "title"]
    ids = columns.as_ids(table, "item_id").alias("item_id")
    return pl.DataFrame([ids, title.alias("title"), *fields])


def _check(path: Path, frame: pl.DataFrame, known: Mapping[str, int]) -> None:
    ids = frame["item_id"].to_list()
    if not ids:
        raise DataError(f"{path}: found no items; write a line for each")
    nameless = sum(not item for item in ids)
    if nameless:
        raise DataError(f"{path}: {nameless} of {len(ids)} items have no item_id; give them one")
    require_once(str(path), ids)
    there = [item for item in ids if item in known]
    if there:
        raise ValueError(
            f"{path}: {len(there)} of {len(ids)} items are in the catalogue already (first: "
            f"{there[0]!r}); take them out, or rename them"
        )


def _is_told(raw: pl.DataFrame, name: str) -> bool:
    """Whether any item has a text of this field: the table need not have all."""
    if name == "title":
        return raw["title"].null_count() < raw.height
    fields = raw["texts"].explode().drop_nulls()
    return len(fields) > 0 and name in fields.struct.field("field")


def _pictures(
    table: SourceTable, frame: pl.DataFrame, max_images: int
) -> tuple[pa.Table, dict[bytes, bytes]]:
    rows: list[tuple[str, int, bytes]] = []
    pictures: dict[bytes, bytes] = {}
    has_any = PICTURES in table.frame.columns
    lists = columns.as_paths(table, PICTURES).to_list() if has_any else [None] * frame.height
    for item, names in zip(frame["item_id"].to_list(), lists, strict=True):
        wanted = [name.strip() for name in names or [] if name and name.strip()]
        for position, name in enumerate(wanted[:max_images]):
            data = _picture(table.path.parent / name, item)
            key = content_key(data)
            pictures[key] = data
            rows.append((item, position, key))
    found = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table(dict(zip(schemas.IMAGES.names, found, strict=True)), schemas.IMAGES), pictures


def _picture(path: Path, item: str) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: file not found, a picture of item {item!r}; name another"
        ) from None
    fault = picture_fault(data)
    if fault:
        raise DataError(f"{path}: {fault}, a picture of item {item!r}; replace it")
    return data
