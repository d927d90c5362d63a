"""Where the files of a dataset lie, relative to its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RawPaths:
    """Files of one folder of raw tables: of a dataset, or of a union."""

    root: Path

    @property
    def items(self) -> Path:
        """Catalogue as the source gives it."""
        return self.root / "items.parquet"

    @property
    def interactions(self) -> Path:
        """Interaction log as the source gives it."""
        return self.root / "interactions.parquet"

    @property
    def image_links(self) -> Path:
        """A row per picture link with status and reason."""
        return self.root / "image_links.parquet"

    @property
    def images(self) -> Path:
        """Folder of packed picture bytes."""
        return self.root / "images"

    @property
    def summary(self) -> Path:
        """Counts of what the source gave, and of what was not taken."""
        return self.root / "summary.json"


@dataclass(frozen=True)
class DatasetPaths:
    """Files of one dataset."""

    root: Path

    @property
    def raw(self) -> Path:
        """Folder of what `crawl` brought."""
        return self.root / "raw"

    @property
    def raw_items(self) -> Path:
        """Catalogue as the source gives it."""
        return RawPaths(self.raw).items

    @property
    def raw_interactions(self) -> Path:
        """Interaction log as the source gives it."""
        return RawPaths(self.raw).interactions

    @property
    def image_links(self) -> Path:
        """A row per picture link with status and reason."""
        return RawPaths(self.raw).image_links

    @property
    def raw_images(self) -> Path:
        """Folder of packed picture bytes."""
        return RawPaths(self.raw).images

    @property
    def raw_summary(self) -> Path:
        """Counts of what the source gave, and of what was not taken."""
        return RawPaths(self.raw).summary

    @property
    def clean(self) -> Path:
        """Folder of the cleaned tables."""
        return self.root / "clean"

    @property
    def items(self) -> Path:
        """Items with their indices, counts and cold flags."""
        return self.clean / "items.parquet"

    @property
    def users(self) -> Path:
        """Users with their indices."""
        return self.clean / "users.parquet"

    @property
    def sequences(self) -> Path:
        """Chronological item indices of every user."""
        return self.clean / "sequences.parquet"

    @property
    def sentences(self) -> Path:
        """Sentences of every item."""
        return self.clean / "sentences.parquet"

    @property
    def images(self) -> Path:
        """Valid pictures of every item, by content key."""
        return self.clean / "images.parquet"

    @property
    def failed_images(self) -> Path:
        """Picture links of every item that gave no picture, with the reason."""
        return self.clean / "failed_images.parquet"

    @property
    def clean_summary(self) -> Path:
        """Counts after every cleaning step."""
        return self.clean / "summary.json"

    @property
    def keywords(self) -> Path:
        """CLIP's keywords of every picture."""
        return self.root / "keywords" / "keywords.parquet"

    @property
    def keywords_summary(self) -> Path:
        """Counts of the keyword stage."""
        return self.root / "keywords" / "summary.json"

    @property
    def keywords_stores(self) -> Path:
        """Where the vectors behind the keywords are kept."""
        return self.root / "keywords.json"

    def features(self, feature: str) -> Path:
        """Folder of one feature's parts."""
        return self.root / "features" / feature
