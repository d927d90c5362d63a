"""A dataset: where it comes from, what cleaning keeps, which keywords its pictures get."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, StringConstraints, model_validator

from mmrec.params.section import Name, Section

Share = Annotated[float, Field(ge=0, le=1)]


# --- source -----------------------------------------------------------------------------


class DemoSourceParams(Section):
    """The embedded shop, drawn from a seed."""

    name: Literal["demo"]
    num_items: PositiveInt
    num_users: PositiveInt
    seed: NonNegativeInt


class MovielensSourceParams(Section):
    """MovieLens as published (`100k`, `1m`), or as `items.csv` + `interactions.csv[.gz]`."""

    name: Literal["movielens"]
    layout: Literal["100k", "1m", "csv"]
    posters: str | None
    """Folder of `<item id>.jpg` inside `files`."""
    metadata: str | None
    """CSV inside `files` with `movie_id` and any of tagline, overview, genres."""


class TabularInteractions(Section):
    """Columns of an interaction log."""

    file: str
    user_id: str
    item_id: str
    timestamp: str | None
    timestamp_unit: Literal["s", "ms", "iso"] | None
    rating: str | None

    @model_validator(mode="after")
    def _unit_goes_with_timestamp(self) -> Self:
        if (self.timestamp is None) != (self.timestamp_unit is None):
            raise ValueError("timestamp and timestamp_unit go together: set both or neither")
        return self


class TabularItems(Section):
    """Columns of a catalogue."""

    file: str
    item_id: str
    title: str | None
    texts: list[str]
    image_files: str | None
    """Column with picture paths below `files`: a list, or a string separated by `|`."""
    image_folder: str | None
    """Folder below `files` with pictures named `<item_id>.<ext>` or `<item_id>_<n>.<ext>`."""

    @model_validator(mode="after")
    def _one_way_to_name_pictures(self) -> Self:
        if self.image_files is not None and self.image_folder is not None:
            raise ValueError("image_files and image_folder exclude each other: set one of them")
        if self.title is not None and self.title in self.texts:
            raise ValueError(f"texts repeats the title column '{self.title}': leave it out there")
        return self


class TabularSourceParams(Section):
    """Any CSV, TSV or Parquet files with a map of their columns."""

    name: Literal["tabular"]
    interactions: TabularInteractions
    items: TabularItems | None


class SequencesSourceParams(Section):
    """A text file with a line per user: `user item item …`, oldest first."""

    name: Literal["sequences"]
    file: str


class RawSourceParams(Section):
    """A folder that already holds raw tables, such as `data/unions/<name>`."""

    name: Literal["raw"]


SourceParams = Annotated[
    DemoSourceParams
    | MovielensSourceParams
    | TabularSourceParams
    | SequencesSourceParams
    | RawSourceParams,
    Field(discriminator="name"),
]


# --- clean ------------------------------------------------------------------------------


class CleanParams(Section):
    """What survives of a catalogue and its log."""

    text_fields: list[str]
    """Fields whose sentences describe an item, in this order; `title` is one of them."""
    max_sentences: PositiveInt
    max_images: PositiveInt
    min_rating: float | None
    user_core: NonNegativeInt
    """Fewest interactions of a user; with `item_core`, applied until nothing changes."""
    item_core: NonNegativeInt
    duplicates: Literal["keep_last", "keep_first", "keep_all"]
    cold_threshold: PositiveInt
    """An item with fewer training interactions is cold."""
    max_failed_share: Share
    """Share of unreadable pictures above which cleaning stops."""


# --- keywords ---------------------------------------------------------------------------


class CatalogueDictionary(Section):
    """The most frequent words of the dataset's own sentences."""

    name: Literal["catalogue"]
    num_words: PositiveInt
    min_length: PositiveInt


class FileDictionary(Section):
    """A word list, one word a line."""

    name: Literal["file"]
    path: Annotated[str, StringConstraints(pattern=r"^data/dictionaries/[^/]+$")]


class ClipDictionary(Section):
    """The whole words of CLIP's own vocabulary."""

    name: Literal["clip_vocabulary"]
    min_length: PositiveInt


DictionaryParams = Annotated[
    CatalogueDictionary | FileDictionary | ClipDictionary, Field(discriminator="name")
]


class NoKeywordsParams(Section):
    """No keywords: for a dataset without pictures."""

    name: Literal["none"]


class OpenClipKeywordsParams(Section):
    """Each picture's nearest words of a dictionary."""

    name: Literal["open_clip"]
    model: str
    """Architecture name known to open_clip, or a folder with config and weights."""
    pretrained: str | None
    num_keywords: PositiveInt
    prompt: Annotated[str, StringConstraints(pattern=r"^[^{}]*\{\}[^{}]*$")]
    """Text around a word, with `{}` in its place."""
    dictionary: DictionaryParams


KeywordsParams = Annotated[NoKeywordsParams | OpenClipKeywordsParams, Field(discriminator="name")]


class DatasetParams(Section):
    """One dataset, from its files to its keywords."""

    files: str
    """Folder that holds the source's files (a dependency of `crawl`)."""
    source: SourceParams
    clean: CleanParams
    keywords: KeywordsParams


class UnionParams(Section):
    """Two datasets' raw tables as one, ids prefixed with their names."""

    left: Name
    right: Name
