"""A dataset: where it comes from, what cleaning keeps, which keywords its pictures get."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import (
    Field,
    IPvAnyNetwork,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
)

from mmrec.params.section import Name, Section
from mmrec.params.sources import SourceParams

Share = Annotated[float, Field(ge=0, le=1)]


# --- crawl ------------------------------------------------------------------------------

CrawlReason = Annotated[
    str,
    StringConstraints(
        pattern=r"^(http_[1-5]\d\d|http_[45]xx|timeout|connection|truncated|bad_response"
        r"|host_not_found|bad_certificate|tls|host_unavailable|robots_disallowed|robots_unavailable|x_robots_[a-z]+"
        r"|address_not_allowed|scheme_not_allowed|bad_url|too_many_redirects|file_too_large"
        r"|empty_file|not_an_image|too_many_pixels|damaged_image|decoder_crashed)$"
    ),
]


class CrawlParams(Section):
    """Manners and limits of downloading pictures; robots.txt is always obeyed.

    A host is a name and its port; http and https on their usual ports are one.
    """

    contact: Annotated[str, StringConstraints(pattern=r"^(\S+@\S+\.\S+|https?://\S+\.\S+)$")]
    """Address or page that tells a server's owner whom to turn to; part of the user agent."""
    edition: str
    """Any word; another one asks every server whether its pictures have changed."""
    retry: list[CrawlReason]
    """Links that failed for one of these reasons are tried again when the stage runs."""
    requests_per_host: PositiveInt
    """Most requests to one host at a time."""
    min_interval_s: NonNegativeFloat
    """Time between the starts of two requests to one host."""
    attempts: PositiveInt
    """Most tries of a link whose failures are transient."""
    backoff_s: NonNegativeFloat
    """The wait before try n + 1 is drawn from 0 to this times 2 ** (n - 1)."""
    max_wait_s: NonNegativeFloat
    """Longest pause that a server may ask for; one that asks for longer is left alone."""
    host_failures: PositiveInt
    """Transient failures in a row after which a host rests."""
    cool_down_s: NonNegativeFloat
    """How long it rests; if the next request fails too, its other links are given up."""
    timeout_s: PositiveFloat
    """Longest time of one request."""
    max_image_bytes: PositiveInt
    allow_networks: list[IPvAnyNetwork]
    """Private networks that may be reached, e.g. `10.1.0.0/16`; public ones always may."""


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


DICTIONARY_PATH: Final = r"^data/dictionaries/[^/]+$"


class CatalogueDictionary(Section):
    """The most frequent words of the dataset's own sentences, as they are now.

    New items may change the words, and with them the keywords of old pictures, until
    `python -m mmrec.features.dictionary` has written them to a file.
    """

    name: Literal["catalogue"]
    num_words: PositiveInt
    min_length: PositiveInt


class FileDictionary(Section):
    """A word list, one word a line."""

    name: Literal["file"]
    path: Annotated[str, StringConstraints(pattern=DICTIONARY_PATH)]


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
    """Architecture name known to open_clip, or a folder with config and weights.

    Weights that were made with QuickGELU want an architecture whose name ends in `-quickgelu`.
    """
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
    crawl: CrawlParams | None
    """None where no picture has to be downloaded."""
    clean: CleanParams
    keywords: KeywordsParams


class UnionParams(Section):
    """Two datasets' raw tables as one, ids prefixed with their names."""

    left: Name
    right: Name
