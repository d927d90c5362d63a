"""Where a dataset comes from: one class per kind of source."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mmrec.params.section import Section


class DemoSourceParams(Section):
    """The embedded shop, drawn from a seed."""

    name: Literal["demo"]
    num_items: PositiveInt
    """Items of the catalogue."""
    num_users: PositiveInt
    """Users of the log."""
    seed: NonNegativeInt


class MovielensSourceParams(Section):
    """MovieLens as published (`100k`, `1m`), or as `items.csv` + `interactions.csv[.gz]`."""

    name: Literal["movielens"]
    layout: Literal["100k", "1m", "csv"]
    """Which of the published files, or tables of the same columns."""
    posters: str | None
    """Folder of `<item id>.jpg` inside `files`."""
    metadata: str | None
    """CSV inside `files` with `movie_id` and any of tagline, overview, genres."""
    without: str | None = None
    """List of films inside `files` that are left out with all about them, told by title and year:
    the `u.item` or `movies.dat` of another MovieLens, or a table with a column `title`."""


class AmazonSourceParams(Section):
    """Amazon reviews and metadata as published: JSON lines, plain or `.gz`, or Parquet."""

    name: Literal["amazon"]
    layout: Literal[2014, 2018, 2023]
    """The year of the edition."""
    reviews: str
    """File inside `files`, e.g. `Video_Games.jsonl.gz`."""
    metadata: str | None
    """File inside `files`, or folder of `.parquet` files; `null` for items that are only ids."""
    images: Literal["none", "large", "hi_res"]
    """All pictures of an item: about 500 pixels (`large`, layout 2023 only), or the largest."""


class GoodreadsSourceParams(Section):
    """Goodreads as published by UCSD: books as JSON lines, interactions as JSON lines or CSV."""

    name: Literal["goodreads"]
    books: str
    """File inside `files`."""
    interactions: str
    """File inside `files`."""
    book_ids: str | None
    """`book_id_map.csv`, by which a CSV of interactions names its books."""
    genres: str | None
    """File of genres by book inside `files`; `null` for no genres."""
    images: bool
    """Whether covers are downloaded."""

    @model_validator(mode="after")
    def _ids_go_with_csv(self) -> Self:
        if (self.book_ids is not None) != self.interactions.endswith((".csv", ".csv.gz")):
            raise ValueError(
                "interactions as .csv need book_ids (book_id_map.csv), others need book_ids: null"
            )
        return self


class HmSourceParams(Section):
    """H&M as published on Kaggle: `articles.csv`, `transactions_train.csv`, pictures."""

    name: Literal["hm"]
    images: str | None
    """Folder inside `files` with `<first three digits>/<article id>.jpg`."""


def _is_mark(text: str) -> str:
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in '"\r\n':
        raise ValueError("write one mark, such as ';' or '|', a tab as \"\\t\" in double quotes")
    return text


Separator = Annotated[str, AfterValidator(_is_mark)]
"""Of the columns of a text file: a tab or a mark, but no quote, letter or digit."""


class TabularInteractions(Section):
    """Columns of an interaction log."""

    file: str
    """Inside `files`: `.csv`, `.tsv` (also `.gz`) or `.parquet`."""
    separator: Separator | None = None
    """`";"`, `"\\t"`, …; `null` finds it: a tab in `.tsv`, else what parts columns in line 1."""
    user_id: str
    """Column of users."""
    item_id: str
    """Column of items, as the catalogue writes them."""
    timestamp: str | None
    """Column of times; `null` where the order of the rows is that of time."""
    timestamp_unit: Literal["s", "ms", "us", "ns", "iso"] | None
    """Of numbers since 1970, or `iso` for dates in words."""
    rating: str | None
    """Column of ratings; `null` for none."""

    @model_validator(mode="after")
    def _unit_goes_with_timestamp(self) -> Self:
        if (self.timestamp is None) != (self.timestamp_unit is None):
            raise ValueError("timestamp and timestamp_unit go together: set both or neither")
        return self


class TabularItems(Section):
    """Columns of a catalogue."""

    file: str
    """Inside `files`, as that of the interactions."""
    separator: Separator | None = None
    """As that of the interactions."""
    item_id: str
    """Column of items, as the log writes them; each is there once."""
    title: str | None
    """Column of titles; `null` for none."""
    texts: list[str]
    """Columns of further texts."""
    image_files: str | None
    """Column with picture paths below `files`: a list, or a string separated by `|`."""
    image_folder: str | None
    """Folder below `files` with pictures named `<item_id>.<ext>` or `<item_id>_<n>.<ext>`."""
    image_urls: str | None
    """Column with addresses on the web: a list, or a string separated by `|`."""

    @model_validator(mode="after")
    def _one_way_to_name_pictures(self) -> Self:
        ways = ("image_files", "image_folder", "image_urls")
        if sum(getattr(self, way) is not None for way in ways) > 1:
            raise ValueError(f"{', '.join(ways)} exclude each other: set one of them")
        if self.title is not None and self.title in self.texts:
            raise ValueError(f"texts repeats the title column '{self.title}': leave it out there")
        return self


class TabularSourceParams(Section):
    """Any CSV, TSV or Parquet files with a map of their columns."""

    name: Literal["tabular"]
    interactions: TabularInteractions | None
    """`null` for a catalogue without users, such as captions with their pictures."""
    items: TabularItems | None
    """`null` for items that are only ids."""

    @field_validator("items")
    @classmethod
    def _something_to_read(
        cls, items: TabularItems | None, settings: ValidationInfo
    ) -> TabularItems | None:
        if items is None and settings.data.get("interactions", ...) is None:
            raise ValueError("interactions are null, too; name the columns of at least one")
        return items


class SequencesSourceParams(Section):
    """A text file with a line per user: `user item item …`, oldest first."""

    name: Literal["sequences"]
    file: str
    """File inside `files`."""


class RawSourceParams(Section):
    """A folder that already holds raw tables, such as `data/unions/<name>`."""

    name: Literal["raw"]


SourceParams = Annotated[
    DemoSourceParams
    | MovielensSourceParams
    | AmazonSourceParams
    | GoodreadsSourceParams
    | HmSourceParams
    | TabularSourceParams
    | SequencesSourceParams
    | RawSourceParams,
    Field(discriminator="name"),
]


def names_pictures_on_the_web(source: SourceParams) -> bool:
    """Whether pictures of this source have to be downloaded."""
    match source:
        case AmazonSourceParams():
            return source.metadata is not None and source.images != "none"
        case GoodreadsSourceParams():
            return source.images
        case TabularSourceParams():
            return source.items is not None and source.items.image_urls is not None
        case _:
            return False
