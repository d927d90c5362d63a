"""What every source gives: a catalogue, an interaction log and references to pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Url:
    """An address on the web; nobody has checked it."""

    address: str


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A picture that a source names; its bytes are read only when it is fetched.

    Attributes:
        item_id: item it belongs to.
        position: which picture of the item, from 0.
        link: what the source calls it, e.g. a path below the source's folder.
        load: the bytes, or the file or address that holds them; None if there is nothing.
        reason: why there is nothing to read, where `load` is None.
        attempts: tries that an earlier download took.
    """

    item_id: str
    position: int
    link: str
    load: bytes | Path | Url | None
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class RawCatalogue:
    """Raw tables of a source.

    Attributes:
        items: `schemas.RAW_ITEMS`, unique non-empty item ids.
        interactions: `schemas.RAW_INTERACTIONS` in the order of the source.
        image_refs: can be consumed once; order means nothing.
        skipped: rows and files of the source that were not taken, by reason.
        has_users: False where the source is a catalogue alone, and `interactions` has no rows.
    """

    items: pa.Table
    interactions: pa.Table
    image_refs: Iterable[ImageRef] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    has_users: bool = True


class Source(Protocol):
    """Somewhere raw data comes from."""

    def read(self) -> RawCatalogue:
        """Read and check everything but the pictures' bytes.

        Raises:
            DataError: a file is missing or malformed; names file, line, what was expected
                and what was found.
        """
        ...
