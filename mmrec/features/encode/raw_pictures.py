"""Pictures as they travel: bytes with a name for messages, decoded where they are encoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Self

from mmrec.data.images import ImageError, RawImages, decode_image
from mmrec.features.contract import IntArray, TextImagePair
from mmrec.io import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmrec.features.encode.distinct import DistinctRows


class RawPicture(NamedTuple):
    """An encoded picture."""

    name: str
    """What messages call it."""
    data: bytes

    @classmethod
    def of(cls, key: bytes, item: str, data: bytes) -> Self:
        """The picture of an item."""
        return cls(f"picture {key.hex()} of item '{item}'", data)


class RawPair(NamedTuple):
    """A text and an encoded picture."""

    text: str
    picture: RawPicture


def raw_pictures(
    rows: DistinctRows, places: IntArray, raw_images: RawImages
) -> Iterator[RawPicture]:
    """The pictures at some places of `rows.keys`, ascending.

    Raises:
        DataError: a picture is not there.
    """
    drawn = raw_images.iterate([rows.keys[place] for place in places])
    for place, (key, data) in zip(places.tolist(), drawn, strict=True):
        yield RawPicture.of(key, rows.item_of(place), data)


def decoded(picture: RawPicture) -> Image:
    """The picture itself.

    Raises:
        DataError: it does not decode.
    """
    try:
        return decode_image(picture.data)
    except ImageError as error:
        raise DataError(f"{picture.name}: {error.reason}; run the clean stage again") from error


def decoded_pair(pair: RawPair) -> TextImagePair:
    """The text with the picture itself.

    Raises:
        DataError: the picture does not decode.
    """
    return TextImagePair(pair.text, decoded(pair.picture))
