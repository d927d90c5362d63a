"""Small pictures of items: what `crawl` and `clean` left in, JPEG bytes out."""

from __future__ import annotations

import logging
from collections import OrderedDict

from mmrec import schemas
from mmrec.data.images import ImageError, RawImages
from mmrec.dataset_paths import DatasetPaths
from mmrec.io import DataError, read_table
from mmrec.report.cards import first_of_each_item
from mmrec.report.thumbnails import thumbnail_jpeg
from mmrec.serving import limits

logger = logging.getLogger(__name__)

_SIZE = 256
"""Pixels of the longer side: twice what the page shows, for dense screens."""


class Pictures:
    """The first picture of each item that has any.

    Args:
        keys: content key by item id.
        packed: pictures by content key; None where there are none.
    """

    def __init__(self, keys: dict[str, bytes], packed: RawImages | None) -> None:
        self._keys, self._packed = keys, packed
        self._made: OrderedDict[bytes, bytes | None] = OrderedDict()

    def has(self, item: str) -> bool:
        """Whether an item has one."""
        return item in self._keys

    def jpeg(self, item: str) -> bytes | None:
        """A small JPEG; None where the item has no picture, or one that cannot be decoded."""
        key = self._keys.get(item)
        if key is None:
            return None
        if key not in self._made:
            self._made[key] = self._make(key)
            if len(self._made) > limits.PICTURES_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def _make(self, key: bytes) -> bytes | None:
        assert self._packed is not None
        ((_, data),) = self._packed.iterate([key])
        try:
            return thumbnail_jpeg(data, _SIZE)
        except ImageError as error:
            logger.warning("picture %s: %s; shown as a placeholder", key.hex(), error.reason)
            return None


NO_PICTURES = Pictures({}, None)


def pictures_of(paths: DatasetPaths | None) -> Pictures:
    """Pictures of a dataset, as far as they are here; a run apart from its project has none."""
    if paths is None or not paths.images.is_file():
        return NO_PICTURES
    firsts = first_of_each_item(read_table(paths.images, schemas.IMAGES))
    if not firsts.num_rows:
        return NO_PICTURES
    try:
        packed = RawImages(paths.raw_images)
    except DataError as error:
        logger.warning("no pictures are shown: %s", error)
        return NO_PICTURES
    ids, keys = (firsts.column(name).to_pylist() for name in ("item_id", "content_key"))
    return Pictures(dict(zip(ids, keys, strict=True)), packed)
