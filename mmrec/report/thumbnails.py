"""Pictures small enough to lie in a page: packed bytes in, data URIs out."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable
from io import BytesIO

from PIL import Image

from mmrec.data.images import ImageError, RawImages, decode_image

logger = logging.getLogger(__name__)


def thumbnail_jpeg(data: bytes, size: int) -> bytes:
    """A picture as a JPEG that fits into `size` × `size` pixels, never enlarged.

    Raises:
        ImageError: the bytes are not a picture.
    """
    buffer = BytesIO()
    _shrunk(data, size).save(buffer, "JPEG", quality=82, optimize=True)
    return buffer.getvalue()


def thumbnail(data: bytes, size: int) -> str:
    """The same as a data URI.

    Raises:
        ImageError: the bytes are not a picture.
    """
    return _data_uri("jpeg", thumbnail_jpeg(data, size))


def tiny_thumbnail(data: bytes, size: int) -> str:
    """A picture as a data URI of less than half the size, for a page with thousands: WebP.

    Raises:
        ImageError: the bytes are not a picture.
    """
    buffer = BytesIO()
    _shrunk(data, size).save(buffer, "WEBP", quality=60, method=4)
    return _data_uri("webp", buffer.getvalue())


def _shrunk(data: bytes, size: int) -> Image.Image:
    small = decode_image(data, min_side=size)
    small.thumbnail((size, size), Image.Resampling.LANCZOS)
    # Pixels alone: a photograph's metadata may be larger than its thumbnail.
    bare = Image.new("RGB", small.size)
    bare.paste(small)
    return bare


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")


class Thumbnails:
    """Data URIs of packed pictures, each made once.

    Args:
        pictures: Packed pictures by content key.
        size: Longer side in pixels: about twice what the page shows, for dense screens.
        made_by: Of the bytes of a picture and this size.
    """

    def __init__(
        self,
        pictures: RawImages,
        *,
        size: int = 128,
        made_by: Callable[[bytes, int], str] = thumbnail,
    ) -> None:
        self._pictures = pictures
        self._size = size
        self._made_by = made_by
        self._made: dict[bytes, str] = {}

    def uris(self, keys: Iterable[bytes]) -> dict[bytes, str]:
        """Data URIs by content key; empty where a picture cannot be decoded."""
        wanted = set(keys)
        for key, data in self._pictures.iterate(wanted - self._made.keys()):
            try:
                self._made[key] = self._made_by(data, self._size)
            except ImageError as error:
                logger.warning("picture %s: %s; shown as a placeholder", key.hex(), error.reason)
                self._made[key] = ""
        return {key: self._made[key] for key in wanted}
