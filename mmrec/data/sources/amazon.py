"""Amazon reviews and metadata of 2014, 2018 and 2023 as published, all pictures by link."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from polars.datatypes import DataType

from mmrec.data.sources import raw_tables
from mmrec.data.sources.amazon_products import NOT_TAKEN, Images, Layout, details, links
from mmrec.data.sources.image_files import refs_of_urls
from mmrec.data.sources.json_lines import read_records
from mmrec.data.sources.record import Record
from mmrec.data.sources.source import ImageRef, RawCatalogue

_TEXTS = ("description", "features", "brand", "categories", "details")
_PAGE_CODE = "getTime"
"""Some titles of 2018 are a piece of the page's JavaScript; all of them contain this."""

_LOG = {
    "user_id": pl.String,
    "item_id": pl.String,
    "timestamp_ns": pl.Int64,
    "rating": pl.Float64,
}
_CATALOGUE: Mapping[str, DataType | type[DataType]] = {
    "item_id": pl.String,
    "title": pl.String,
    **dict.fromkeys(_TEXTS, pl.String),
    "links": pl.List(pl.String),
    **dict.fromkeys(NOT_TAKEN, pl.Int64),
}


class AmazonSource:
    """Products (`asin`, in 2023 `parent_asin`) and who reviewed them when.

    Of a product it takes title, description, features, brand or store, categories, details and
    pictures; ranks, prices, videos and links to other products stay behind.

    Args:
        files: folder of the published files.
        layout: year of the release.
        reviews: file of reviews below `files`.
        metadata: file of products below `files`, or folder of `.parquet` files; None for items
            that are only ids.
        images: which size of all pictures of an item, or `none`.
    """

    def __init__(
        self, files: Path, *, layout: Layout, reviews: str, metadata: str | None, images: Images
    ) -> None:
        self._files = files
        self._layout = layout
        self._reviews = reviews
        self._metadata = metadata
        self._images = images

    def read(self) -> RawCatalogue:
        """Read reviews and products. Of a product that is repeated the first line counts."""
        # Lines of 2014 are Python literals in part of the files.
        literals = self._layout == 2014
        convert = _review_2023 if self._layout == 2023 else _review
        log = read_records(self._files / self._reviews, convert, _LOG, literals=literals)
        interactions = raw_tables.build_interactions(log)
        if self._metadata is None:
            return RawCatalogue(raw_tables.items_of_interactions(interactions), interactions)
        rows = read_records(
            self._files / self._metadata, self._product, _CATALOGUE, literals=literals
        )
        named = rows.filter(pl.col("item_id") != "")
        frame = named.unique("item_id", keep="first", maintain_order=True)
        is_code = pl.col("title").str.contains(_PAGE_CODE, literal=True).fill_null(value=False)
        skipped = {
            "item_without_id": rows.height - named.height,
            "item_repeated": named.height - frame.height,
            "title_is_page_code": frame.filter(is_code).height,
            **{reason: int(frame[reason].sum()) for reason in NOT_TAKEN},
        }
        frame = frame.with_columns(pl.when(~is_code).then("title").alias("title"))
        refs: list[ImageRef] = []
        if self._images != "none":
            refs = list(refs_of_urls(frame["item_id"], frame["links"]))
        return RawCatalogue(
            items=raw_tables.build_items(frame, {name: name for name in _TEXTS}),
            interactions=interactions,
            image_refs=refs,
            skipped=skipped,
        )

    def _product(self, record: Record) -> tuple[Any, ...]:
        item_id = record.identifier("parent_asin" if self._layout == 2023 else "asin")
        skipped: Counter[str] = Counter()
        return (
            item_id,
            record.text("title"),
            record.text("description"),
            record.text("features") or record.text("feature"),
            record.text("brand") or record.text("store"),
            record.text("categories", ", ") or record.text("category", ", "),
            details(record, item_id, skipped),
            links(record, self._layout, self._images, skipped),
            *(skipped[reason] for reason in NOT_TAKEN),
        )


def _review(record: Record) -> tuple[Any, ...]:
    return (
        record.identifier("reviewerID"),
        record.identifier("asin"),
        record.time_ns("unixReviewTime", "s"),
        record.number("overall"),
    )


def _review_2023(record: Record) -> tuple[Any, ...]:
    return (
        record.identifier("user_id"),
        record.identifier("parent_asin"),
        record.time_ns("timestamp", "ms"),
        record.number("rating"),
    )
