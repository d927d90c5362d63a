"""Tables of a dataset and its pictures, each read when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import read_table
from mmrec.report.thumbnails import Thumbnails, tiny_thumbnail

TINY_SIDE = 64
"""Longer side in pixels of pictures of which a page has many."""


@dataclass(frozen=True)
class Tables:
    """Read once, and kept."""

    paths: DatasetPaths

    @cached_property
    def items(self) -> pa.Table:
        """CLEAN_ITEMS."""
        return read_table(self.paths.items, schemas.CLEAN_ITEMS)

    @cached_property
    def users(self) -> pa.Table:
        """CLEAN_USERS."""
        return read_table(self.paths.users, schemas.CLEAN_USERS)

    @cached_property
    def sequences(self) -> pa.Table:
        """CLEAN_SEQUENCES."""
        return read_table(self.paths.sequences, schemas.CLEAN_SEQUENCES)

    @cached_property
    def sentences(self) -> pa.Table:
        """SENTENCES."""
        return read_table(self.paths.sentences, schemas.SENTENCES)

    @cached_property
    def images(self) -> pa.Table:
        """IMAGES."""
        return read_table(self.paths.images, schemas.IMAGES)

    @cached_property
    def keywords(self) -> pa.Table:
        """KEYWORDS."""
        return read_table(self.paths.keywords, schemas.KEYWORDS)

    @cached_property
    def pictures(self) -> RawImages:
        """Bytes of the pictures, by content key."""
        return RawImages(self.paths.raw_images)

    @cached_property
    def tiny(self) -> Thumbnails:
        """The smallest pictures, shared by all that shows many."""
        return Thumbnails(self.pictures, size=TINY_SIDE, made_by=tiny_thumbnail)
