"""Frames of a source in, `RAW_ITEMS` and `RAW_INTERACTIONS` out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.sources.source_table import SourceTable
from mmrec.data.spellings import describe_unknown
from mmrec.io import DataError


def build_items(frame: pl.DataFrame, texts: Mapping[str, str]) -> pa.Table:
    """Raw items from the columns `item_id`, `title` and one column per text field.

    Args:
        frame: strings or nulls; an empty title or text is none.
        texts: name of the field to the column that holds it, in the order of the fields.
    """
    fields = [
        pl.struct(pl.lit(field).alias("field"), pl.col(column).alias("text"))
        for field, column in texts.items()
    ]
    has_text = pl.element().struct.field("text").fill_null("") != ""
    no_texts = pl.lit([], dtype=pl.List(pl.Struct({"field": pl.String, "text": pl.String})))
    table = frame.select(
        "item_id",
        pl.when(pl.col("title") != "").then("title").alias("title"),
        (pl.concat_list(fields).list.filter(has_text) if fields else no_texts).alias("texts"),
    )
    return table.to_arrow().cast(schemas.RAW_ITEMS)


def items_of_interactions(interactions: pa.Table) -> pa.Table:
    """Items without title and text for a source that has only a log."""
    ids = pl.Series("item_id", interactions.column("item_id")).unique(maintain_order=True)
    frame = ids.to_frame().filter(pl.col("item_id") != "")
    return build_items(frame.with_columns(title=pl.lit(None, dtype=pl.String)), {})


def build_interactions(frame: pl.DataFrame) -> pa.Table:
    """Raw interactions from `user_id`, `item_id` and, if there, `timestamp_ns` and `rating`."""
    columns = {"timestamp_ns": pl.Int64, "rating": pl.Float64}
    absent = [
        pl.lit(None, dtype=kind).alias(name)
        for name, kind in columns.items()
        if name not in frame.columns
    ]
    table = frame.with_columns(
        # A missing id is kept as an empty one: `clean` drops and counts it.
        pl.col("user_id", "item_id").fill_null(""),
        *absent,
    )
    return table.select(schemas.RAW_INTERACTIONS.names).to_arrow().cast(schemas.RAW_INTERACTIONS)


def drop_items_without_id(frame: pl.DataFrame, table: SourceTable) -> tuple[pl.DataFrame, int]:
    """Drop rows whose `item_id` is empty; say how many. Duplicate ids are a `DataError`."""
    rows = frame.with_columns(pl.col("item_id").fill_null("")).with_row_index("row")
    kept = rows.filter(pl.col("item_id") != "")
    repeated = kept.filter(pl.col("item_id").is_duplicated())
    if not repeated.is_empty():
        raise _duplicate_items(repeated, table)
    return kept.drop("row"), rows.height - kept.height


def refuse_if_of_no_item(path: Path, ids: pl.Series, item_ids: pl.Series, *, field: str) -> None:
    """Raise `DataError` if a file is about items, but about none of the catalogue.

    Args:
        path: the file.
        ids: of the items it is about, a row each.
        item_ids: of the catalogue.
        field: of the source's settings that names the file.
    """
    if len(ids) and len(item_ids) and not ids.is_in(item_ids.implode()).any():
        raise DataError(
            f"{path}: none of {len(ids):,} rows is about an item of the catalogue,"
            f" {describe_unknown(ids, item_ids)}; correct the ids, or set {field} to null"
        )


def _duplicate_items(repeated: pl.DataFrame, table: SourceTable) -> DataError:
    groups = repeated.group_by("item_id", maintain_order=True).agg("row")
    first = "; ".join(
        f"{item_id!r} at {' and '.join(table.where(row).rpartition(', ')[2] for row in rows[:2])}"
        for item_id, rows in groups.head(3).iter_rows()
    )
    return DataError(
        f"{table.path}: {groups.height} item ids stand more than once ({first});"
        " keep one row per item"
    )
