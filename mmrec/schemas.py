"""Every table that passes between stages: its columns, types and meaning.

Content is keyed by `item_id` and content key above `clean`, by `item_index`
(0 = padding, items are 1..I) below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

FINGERPRINT_KEY: Final = b"mmrec.fingerprint"
"""Parquet metadata key under which a feature file says how it was made (JSON)."""
LIBRARIES_KEY: Final = b"mmrec.libraries"
"""The same for the versions of the libraries that made it."""

CONTENT_KEY: Final = pa.binary(16)
"""BLAKE2b-128 of a picture's bytes or of a sentence's NFC form."""


def _schema(*fields: tuple[str, pa.DataType], nullable: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name in nullable) for name, kind in fields])


def _list(kind: pa.DataType) -> pa.ListType:
    return pa.list_(pa.field("item", kind, nullable=False))


TEXT_FIELD: Final = pa.struct(list(_schema(("field", pa.string()), ("text", pa.string()))))

RAW_ITEMS: Final = _schema(
    ("item_id", pa.string()),
    ("title", pa.string()),
    ("texts", _list(TEXT_FIELD)),
    nullable=("title",),
)
"""The catalogue as the source gives it; the title is not repeated in `texts`."""

RAW_INTERACTIONS: Final = _schema(
    ("user_id", pa.string()),
    ("item_id", pa.string()),
    ("timestamp_ns", pa.int64()),
    ("rating", pa.float64()),
    nullable=("timestamp_ns", "rating"),
)
"""Row order is meaningful: it breaks ties, and is the order where no row has a timestamp.
`timestamp_ns` is in UTC nanoseconds since 1970, the finest that a source may have: 1677 to 2262."""

IMAGE_LINKS: Final = _schema(
    ("item_id", pa.string()),
    ("position", pa.int32()),
    ("link", pa.string()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("attempts", pa.int32()),
    ("content_key", CONTENT_KEY),
    ("num_bytes", pa.int64()),
    nullable=("content_key",),
)
"""One row per link, `status` "ok" or "failed"; `reason` is empty when ok. `attempts` counts the
tries of a download and is 0 where nothing had to be downloaded."""

RAW_IMAGES: Final = _schema(("content_key", CONTENT_KEY), ("bytes", pa.large_binary()))
"""Packed pictures, each distinct content once, ordered by key over all parts."""

CLEAN_ITEMS: Final = _schema(
    ("item_id", pa.string()),
    ("item_index", pa.int32()),
    ("title", pa.string()),
    ("num_sentences", pa.int32()),
    ("num_images", pa.int32()),
    ("training_count", pa.int32()),
    ("is_cold", pa.bool_()),
)
"""Items 1..I in ascending order of `item_id`; a missing title is the empty string."""

CLEAN_USERS: Final = _schema(
    ("user_id", pa.string()), ("user_index", pa.int32()), ("num_interactions", pa.int32())
)

CLEAN_SEQUENCES: Final = _schema(
    ("user_index", pa.int32()),
    ("items", _list(pa.int32())),
    ("timestamps_ns", _list(pa.int64())),
    ("training_end", pa.int32()),
    ("validation_start", pa.int32()),
    ("validation_end", pa.int32()),
    ("test_start", pa.int32()),
    ("test_end", pa.int32()),
)
"""One row per user in order of `user_index`; item indices, oldest first, and borders among them:
`mmrec.data.borders.Borders` has their meaning."""

SENTENCES: Final = _schema(
    ("item_id", pa.string()), ("position", pa.int32()), ("sentence", pa.string())
)

BAGS_OF_WORDS: Final = _schema(
    ("item_id", pa.string()), ("words", _list(pa.string())), ("counts", _list(pa.int32()))
)
"""The distinct words of each item that has any, and how often; ordered by `item_id`, word."""

IMAGES: Final = _schema(
    ("item_id", pa.string()), ("position", pa.int32()), ("content_key", CONTENT_KEY)
)
"""Pictures that decode, by item; the bytes stay in the raw parts."""

FAILED_IMAGES: Final = _schema(
    ("item_id", pa.string()),
    ("position", pa.int32()),
    ("link", pa.string()),
    ("reason", pa.string()),
)
"""Links that were not fetched or do not decode, of the items that stay."""

KEYWORDS: Final = _schema(
    ("item_id", pa.string()),
    ("position", pa.int32()),
    ("content_key", CONTENT_KEY),
    ("keywords", _list(pa.string())),
    ("scores", _list(pa.float32())),
    ("sentence", pa.string()),
)
"""CLIP's words for each picture, best first; scores are cosine similarities in [-1, 1]."""

RANKS: Final = _schema(
    ("user_index", pa.int32()),
    ("target", pa.int32()),
    ("rank", pa.int32()),
    ("target_is_cold", pa.bool_()),
    ("target_training_count", pa.int32()),
    ("history_length", pa.int32()),
)
"""Rank (1 = best) of each held-out item among all items: the only source of metrics. Of cold
positions a table of its own; there, and of a split by time with `targets: all`, users may have
several rows: each is of the item after `history_length` items."""

LISTS: Final = _schema(("user_index", pa.int32()), ("items", _list(pa.int32())))
"""The best items for each row of `RANKS`, in its order, by the scores that its ranks are of."""


@dataclass(frozen=True)
class RawSummary:
    """What `summary.json` of raw tables must tell.

    Attributes:
        skipped: rows that were not taken, by reason.
        has_users: False where no source of the tables has a log.
    """

    skipped: Mapping[str, int]
    has_users: bool


@dataclass(frozen=True)
class CleanProtocol:
    """What `summary.json` of clean tables must tell those who evaluate on them.

    Attributes:
        protocol: how the data were ordered and split: goes into the results of every run.
    """

    protocol: Mapping[str, object]


TRAINED_ITEMS: Final = _schema(("item_id", pa.string()))
"""The items that weights were trained on, 1..I in order."""

RECOMMENDATIONS: Final = _schema(
    ("user_id", pa.string()),
    ("rank", pa.int32()),
    ("item_id", pa.string()),
    ("title", pa.string()),
    ("score", pa.float32()),
)


def vector(dim: int, value: pa.DataType) -> pa.FixedSizeListType:
    """Type of one embedding: `dim` values, never null."""
    return pa.list_(pa.field("item", value, nullable=False), dim)


def features(dim: int, value: pa.DataType) -> pa.Schema:
    """Feature rows of one extractor, ordered by `item_id`, `position`."""
    return _schema(
        ("item_id", pa.string()),
        ("position", pa.int32()),
        ("content_key", CONTENT_KEY),
        ("embedding", vector(dim, value)),
    )


def token_features(dim: int, value: pa.DataType) -> pa.Schema:
    """Token states of one extractor, a row per token, ordered by `item_id`, `position`, `token`."""
    return _schema(
        ("item_id", pa.string()),
        ("position", pa.int32()),
        ("token", pa.int32()),
        ("content_key", CONTENT_KEY),
        ("embedding", vector(dim, value)),
    )


def item_vectors(dim: int) -> pa.Schema:
    """Retrieval vectors of a trained run, one per item."""
    return _schema(
        ("item_index", pa.int32()),
        ("item_id", pa.string()),
        ("title", pa.string()),
        ("vector", vector(dim, pa.float32())),
    )


def user_vectors(dim: int) -> pa.Schema:
    """Query vectors after a user's whole history, with that history as item indices."""
    return _schema(
        ("user_index", pa.int32()),
        ("user_id", pa.string()),
        ("vector", vector(dim, pa.float32())),
        ("history", _list(pa.int32())),
    )


def differences(found: pa.Schema, expected: pa.Schema) -> list[str]:
    """What sets two schemas apart, a phrase per column; nothing if names and types agree."""
    have = {field.name: field.type for field in found}
    wrong = [
        f"column '{field.name}': found {have.get(field.name, 'none')}, expected {field.type}"
        for field in expected
        if not _same_type(have.get(field.name), field.type)
    ]
    return wrong + [f"column '{name}': unexpected" for name in have if name not in expected.names]


def _same_type(found: pa.DataType | None, expected: pa.DataType) -> bool:
    # Parquet keeps nullability of nested values only in part: compare what is stored.
    if found is None:
        return False
    if pa.types.is_fixed_size_list(expected):
        return bool(
            pa.types.is_fixed_size_list(found)
            and found.list_size == expected.list_size
            and found.value_type == expected.value_type
        )
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and _same_type(found.value_type, expected.value_type)
    return bool(found == expected)
