"""A dataset: where it comes from, what cleaning keeps, which keywords its pictures get."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from mmrec.params.section import Name, Section
from mmrec.params.sources import SourceParams
from mmrec.params.split import LeaveOneOutParams, SplitParams, TieOrder

Share = Annotated[float, Field(ge=0, le=1)]


# --- crawl ------------------------------------------------------------------------------

_REASONS = (
    *("timeout", "connection", "truncated", "host_not_found", "host_unavailable"),
    *("bad_certificate", "tls", "bad_response", "bad_url", "scheme_not_allowed"),
    *("address_not_allowed", "too_many_redirects", "robots_disallowed", "robots_unavailable"),
    *("file_too_large", "empty_file", "not_an_image", "too_many_pixels", "damaged_image"),
    "decoder_crashed",
)


def _checked_reason(reason: str) -> str:
    if reason in _REASONS or re.fullmatch(r"http_([1-9]\d\d|[45]xx)|x_robots_[a-z]+", reason):
        return reason
    raise ValueError(
        "no reason for which a link fails; allowed: http_404 and the like, http_4xx, http_5xx,"
        f" x_robots_noai and the like, {', '.join(_REASONS)}"
    )


def _checked_contact(contact: str) -> str:
    if re.fullmatch(r"\S+@\S+\.\S+|https?://\S+\.\S+", contact):
        return contact
    raise ValueError(
        "expected an address or a page that tells whom to turn to, such as you@example.org or"
        " https://example.org/crawler"
    )


CrawlReason = Annotated[str, AfterValidator(_checked_reason)]
PrivateNetwork = Annotated[IPvAnyNetwork, BeforeValidator(ip_network)]


class CrawlParams(Section):
    """Manners and limits of downloading pictures; robots.txt is always obeyed.

    A host is a name and its port; http and https on their usual ports are one.
    """

    contact: Annotated[str, AfterValidator(_checked_contact)]
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
    """Larger files are failed links."""
    allow_networks: list[PrivateNetwork]
    """Private networks that may be reached, e.g. `10.1.0.0/16`; public ones always may."""


# --- clean ------------------------------------------------------------------------------


class CleanParams(Section):
    """What survives of a catalogue and its log, and in which order."""

    text_fields: list[str]
    """Fields whose sentences describe an item, in this order; `title` is one of them."""
    max_sentences: PositiveInt
    """Of an item, the first ones; the rest is left out."""
    max_images: PositiveInt
    """Of an item, the first ones that can be read."""
    min_rating: float | None
    """Interactions with a lower one are left out; `null` keeps all, rated or not."""
    user_core: NonNegativeInt
    """Fewest interactions of a user; with `item_core`, applied until nothing changes."""
    item_core: NonNegativeInt
    """Fewest interactions of an item. 0 keeps items that nobody bought: new items, candidates
    of every ranking. 1 removes these and nothing else."""
    duplicates: Literal["keep_last", "keep_first", "keep_all"]
    """Which of a user's interactions with the same item stay."""
    tie_order: TieOrder = "file"
    """Order of a user's interactions at equal times. By `random` it follows from `tie_seed` and the
    ids of user and item alone. docs/evaluation.md says what it does to results."""
    tie_seed: NonNegativeInt = 0
    """Of `tie_order: random`."""
    split: SplitParams = LeaveOneOutParams()
    """Which interactions train, validate and test."""
    cold_threshold: PositiveInt
    """An item with fewer training interactions is cold."""
    max_unusable_share: Share
    """Share of interactions above which cleaning stops, if they cannot be used: of an item that
    the catalogue lacks, without an id or a time, with a rating that is not finite."""
    max_failed_share: Share
    """Share of unreadable pictures above which cleaning stops."""

    @model_validator(mode="after")
    def _seed_of_a_random_order(self) -> Self:
        if self.tie_seed and self.tie_order != "random":
            raise ValueError(
                f"tie_seed is {self.tie_seed}, but tie_order is {self.tie_order}, which has no use "
                "for it; set tie_order: random, or leave tie_seed out"
            )
        return self


# --- keywords ---------------------------------------------------------------------------


DICTIONARY_PATH: Final = r"^data/dictionaries/[^/]+$"


class CatalogueDictionary(Section):
    """The most frequent words of the dataset's own sentences, as they are now.

    New items may change the words, and with them the keywords of old pictures, until
    `python -m mmrec.features.keywords.dictionary` has written them to a file.
    """

    name: Literal["catalogue"]
    num_words: PositiveInt
    """The most frequent ones, at most so many."""
    min_length: PositiveInt
    """Letters that a word must have."""


class FileDictionary(Section):
    """A word list, one word a line."""

    name: Literal["file"]
    path: Annotated[str, StringConstraints(pattern=DICTIONARY_PATH)]
    """A file of `data/dictionaries/`."""


class ClipDictionary(Section):
    """The whole words of CLIP's own vocabulary."""

    name: Literal["clip_vocabulary"]
    min_length: PositiveInt
    """Letters that a word must have."""


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
    """Words for each picture."""
    prompt: Annotated[str, StringConstraints(pattern=r"^[^{}]*\{\}[^{}]*$")]
    """Text around a word, with `{}` in its place."""
    dictionary: DictionaryParams
    """Which words there are to choose from."""


KeywordsParams = Annotated[NoKeywordsParams | OpenClipKeywordsParams, Field(discriminator="name")]


class DatasetParams(Section):
    """One dataset, from its files to its keywords."""

    files: str
    """Folder that holds the source's files (a dependency of `crawl`)."""
    allow_links_outside: bool
    """Whether pictures may be symbolic links to files outside `files`, whose bytes then go
    wherever the dataset goes; one that may not is a failed link."""
    source: SourceParams
    """What kind of files they are, and how they are read."""
    crawl: CrawlParams | None
    """`null` where no picture has to be downloaded."""
    clean: CleanParams
    """What survives of catalogue and log, and in which order."""
    keywords: KeywordsParams
    """Words of a dictionary for each picture, or none."""


class UnionParams(Section):
    """Two datasets' raw tables as one, ids prefixed with their names."""

    left: Name
    """An entry of `datasets`."""
    right: Name
    """Another one."""
