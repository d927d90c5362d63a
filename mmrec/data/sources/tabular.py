"""Any CSV, TSV or Parquet files with a column map as a source: a log, a catalogue, or both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mmrec import schemas
from mmrec.data.sources import columns as convert
from mmrec.data.sources import raw_tables
from mmrec.data.sources.image_files import find_images, refs_of_paths, refs_of_urls
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.source_table import SourceTable, read_source_table
from mmrec.data.sources.times import Unit


@dataclass(frozen=True)
class InteractionColumns:
    """Where the interaction log is, and which columns hold what.

    Attributes:
        separator: of the columns of a text file; None to find it in the header.
    """

    file: str
    user_id: str
    item_id: str
    timestamp: str | None = None
    timestamp_unit: Unit | None = None
    rating: str | None = None
    separator: str | None = None


@dataclass(frozen=True)
class ItemColumns:
    """Where the catalogue is, and which columns hold what.

    Attributes:
        image_files: column of picture paths below the source's folder.
        image_folder: folder of pictures named after the items.
        image_urls: column of addresses on the web.
        separator: of the columns of a text file; None to find it in the header.
    """

    file: str
    item_id: str
    title: str | None = None
    texts: tuple[str, ...] = ()
    image_files: str | None = None
    image_folder: str | None = None
    image_urls: str | None = None
    separator: str | None = None


class TabularSource:
    """Reads the mapped columns and nothing else."""

    def __init__(
        self, files: Path, *, interactions: InteractionColumns | None, items: ItemColumns | None
    ) -> None:
        if interactions is None and items is None:
            raise ValueError(
                "source.interactions and source.items are both null; name the columns of at least"
                " one"
            )
        if items is not None and len(_picture_columns(items)) > 1:
            raise ValueError(
                f"source.items: {' and '.join(_picture_columns(items))} are set; set all but one"
                " to null"
            )
        if items is not None and items.title in items.texts:
            raise ValueError(
                f"source.items.texts: {items.title!r} is the title, which needs no repeating;"
                " remove it"
            )
        self._files = files
        self._interactions = interactions
        self._items = items

    def read(self) -> RawCatalogue:
        """Read log and catalogue; without a catalogue the items are those of the log.

        Without a log there are no users.
        """
        interactions = (
            schemas.RAW_INTERACTIONS.empty_table()
            if self._interactions is None
            else raw_tables.build_interactions(read_interactions(self._files, self._interactions))
        )
        if self._items is None:
            items = raw_tables.items_of_interactions(interactions)
            return RawCatalogue(items, interactions)
        table = self._read_items(self._items)
        frame, num_without_id = raw_tables.drop_items_without_id(
            _item_frame(table, self._items), table
        )
        refs, skipped = self._image_refs(self._items, frame)
        return RawCatalogue(
            items=raw_tables.build_items(
                frame, {name: f"text:{name}" for name in self._items.texts}
            ),
            interactions=interactions,
            image_refs=refs,
            skipped={"item_without_id": num_without_id, **skipped},
            has_users=self._interactions is not None,
        )

    def _read_items(self, columns: ItemColumns) -> SourceTable:
        pictures = columns.image_files or columns.image_urls
        wanted = [columns.item_id, columns.title, *columns.texts, pictures]
        return read_source_table(
            self._files / columns.file,
            [name for name in wanted if name is not None],
            separator=columns.separator,
        )

    def _image_refs(
        self, columns: ItemColumns, frame: pl.DataFrame
    ) -> tuple[Iterable[ImageRef], dict[str, int]]:
        if columns.image_files is not None:
            return refs_of_paths(self._files, frame["item_id"], frame["pictures"]), {}
        if columns.image_urls is not None:
            return refs_of_urls(frame["item_id"], frame["pictures"]), {}
        if columns.image_folder is not None:
            return find_images(self._files, columns.image_folder, frame["item_id"])
        return (), {}


def _picture_columns(columns: ItemColumns) -> list[str]:
    return [
        name
        for name in ("image_files", "image_folder", "image_urls")
        if getattr(columns, name) is not None
    ]


def _item_frame(table: SourceTable, columns: ItemColumns) -> pl.DataFrame:
    no_title = pl.Series("title", [None] * table.frame.height, dtype=pl.String)
    title = no_title if columns.title is None else convert.as_text(table, columns.title)
    series = [
        convert.as_ids(table, columns.item_id).alias("item_id"),
        title.alias("title"),
        *(convert.as_text(table, name).alias(f"text:{name}") for name in columns.texts),
    ]
    pictures = columns.image_files or columns.image_urls
    if pictures is not None:
        series.append(convert.as_paths(table, pictures).alias("pictures"))
    return pl.DataFrame(series)


def read_interactions(files: Path, columns: InteractionColumns) -> pl.DataFrame:
    """Read `user_id`, `item_id` and, where mapped, `timestamp_ns` and `rating` of a log."""
    wanted = [columns.user_id, columns.item_id, columns.timestamp, columns.rating]
    table = read_source_table(
        files / columns.file,
        [name for name in wanted if name is not None],
        separator=columns.separator,
    )
    series = [
        convert.as_ids(table, columns.user_id).alias("user_id"),
        convert.as_ids(table, columns.item_id).alias("item_id"),
    ]
    if columns.timestamp is not None and columns.timestamp_unit is not None:
        times = convert.as_timestamps_ns(table, columns.timestamp, columns.timestamp_unit)
        series.append(times.alias("timestamp_ns"))
    if columns.rating is not None:
        series.append(convert.as_ratings(table, columns.rating).alias("rating"))
    return pl.DataFrame(series)
