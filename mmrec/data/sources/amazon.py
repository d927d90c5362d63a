"""Amazon reviews and metadata of 2014, 2018 and 2023 as published, all pictures by link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl
from polars.datatypes import DataType

from mmrec.data.sources import raw_tables
from mmrec.data.sources.image_files import refs_of_urls
from mmrec.data.sources.json_lines import Record, read_records
from mmrec.data.sources.source import ImageRef, RawCatalogue

Layout = Literal[2014, 2018, 2023]
Images = Literal["none", "large", "hi_res"]

_TEXTS = ("description", "features", "brand", "categories", "details")
_PAGE_CODE = "getTime"
"""Some titles of 2018 are a piece of the page's JavaScript; all of them contain this."""

_LOG = {
    "user_id": pl.String,
    "item_id": pl.String,
    "timestamp_s": pl.Int64,
    "rating": pl.Float64,
}
_CATALOGUE: Mapping[str, DataType | type[DataType]] = {
    "item_id": pl.String,
    "title": pl.String,
    **dict.fromkeys(_TEXTS, pl.String),
    "links": pl.List(pl.String),
}


class AmazonSource:
    """Products (`asin`, in 2023 `parent_asin`) and who reviewed them when.

    Args:
        files: folder of the published files.
        layout: year of the release.
        reviews: file of reviews below `files`.
        metadata: file of products below `files`; None for items that are only ids.
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
        return (
            item_id,
            record.text("title"),
            record.text("description"),
            record.text("features") or record.text("feature"),
            record.text("brand") or record.text("store"),
            record.text("categories", ", ") or record.text("category", ", "),
            _details(record),
            self._links(record),
        )

    def _links(self, record: Record) -> list[str]:
        match self._layout:
            case 2014:
                return record.links("imUrl")
            case 2018:
                found = (record.links(key) for key in ("imageURLHighRes", "imageURL", "image"))
                links = next(filter(None, found), [])
            case 2023:
                sizes = ("large", "hi_res", "thumb")
                if self._images == "hi_res":
                    sizes = ("hi_res", "large", "thumb")
                links = _links_2023(record, sizes)
        return list(dict.fromkeys(links))


def _review(record: Record) -> tuple[Any, ...]:
    return (
        record.identifier("reviewerID"),
        record.identifier("asin"),
        record.whole("unixReviewTime"),
        record.number("overall"),
    )


def _review_2023(record: Record) -> tuple[Any, ...]:
    time = record.whole("timestamp")
    return (
        record.identifier("user_id"),
        record.identifier("parent_asin"),
        # In milliseconds.
        None if time is None else time // 1000,
        record.number("rating"),
    )


def _details(record: Record) -> str | None:
    details = record.values.get("details")
    if not isinstance(details, Mapping):
        return None
    # Some values are tables of their own (ranks), which say nothing about the product.
    return "\n\n".join(
        f"{name}: {value}" for name, value in details.items() if isinstance(value, str) and value
    )


def _links_2023(record: Record, sizes: tuple[str, ...]) -> list[str]:
    pictures = record.values.get("images") or []
    if not isinstance(pictures, list) or not all(isinstance(one, Mapping) for one in pictures):
        raise record.wrong("images", "a list of pictures with hi_res, large and thumb")
    links = (next((one[name] for name in sizes if one.get(name)), None) for one in pictures)
    return [link for link in links if isinstance(link, str)]
