"""A folder that already holds raw tables, such as a union, as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.data.sources.regular_files import check_regular
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.dataset_paths import RawPaths
from mmrec.io import DataError, read_json, read_table


class RawSource:
    """Adopts `items.parquet`, `interactions.parquet`, `image_links.parquet` and `images/`.

    Where there is a `summary.json`, what it says was skipped on the way there stays counted, and
    it may say that there are no users.
    """

    def __init__(self, files: Path) -> None:
        self._files = files
        self._raw = RawPaths(files)

    def read(self) -> RawCatalogue:
        """Read the tables; pictures come in the order of their packed parts."""
        if not self._files.is_dir():
            raise DataError(
                f"{self._files}: folder of raw tables not found; check `files` of the dataset"
            )
        raw = self._raw
        tables = (raw.items, raw.interactions, raw.image_links, raw.summary)
        for path in (*tables, *raw.images.glob("part-*.parquet")):
            check_regular(path)
        links = read_table(self._raw.image_links, schemas.IMAGE_LINKS)
        told = read_json(raw.summary, schemas.RawSummary) if raw.summary.exists() else {}
        return RawCatalogue(
            items=read_table(self._raw.items, schemas.RAW_ITEMS),
            interactions=read_table(self._raw.interactions, schemas.RAW_INTERACTIONS),
            image_refs=_refs(links, RawImages(self._raw.images)),
            skipped=told.get("skipped", {}),
            has_users=told.get("has_users", True),
        )


def _refs(links: pa.Table, images: RawImages) -> Iterator[ImageRef]:
    of_key: dict[bytes, list[tuple[str, int, str, int]]] = {}
    columns = ("item_id", "position", "link", "reason", "attempts", "content_key")
    for item_id, position, link, reason, attempts, key in zip(
        *(links.column(name).to_pylist() for name in columns), strict=True
    ):
        if key is None:
            yield ImageRef(item_id, position, link, None, reason, attempts)
        else:
            of_key.setdefault(key, []).append((item_id, position, link, attempts))
    for key, data in images.iterate(of_key):
        for item_id, position, link, attempts in of_key[key]:
            yield ImageRef(item_id, position, link, data, attempts=attempts)
