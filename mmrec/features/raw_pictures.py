"""Pictures as they travel: bytes with a name for messages, decoded where they are encoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from mmrec.data.images import ImageError, RawImages, decode_image
from mmrec.features.canonical import IntArray
from mmrec.io import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmrec.features.run import DistinctRows


class RawPicture(NamedTuple):
    """An encoded picture."""

    name: str
    """What messages call it."""
    data: bytes


def raw_pictures(
    rows: DistinctRows, places: IntArray, raw_images: RawImages
) -> Iterator[RawPicture]:
    """The pictures at some places of `rows.keys`, ascending.

    Raises:
        DataError: a picture is not there.
    """
    drawn = raw_images.iterate([rows.keys[place] for place in places])
    for place, (key, data) in zip(places.tolist(), drawn, strict=True):
        yield RawPicture(f"picture {key.hex()} of item '{rows.item_of(place)}'", data)


def decoded(picture: RawPicture) -> Image:
    """The picture itself.

    Raises:
        DataError: it does not decode.
    """
    try:
        return decode_image(picture.data)
    except ImageError as error:
        raise DataError(f"{picture.name}: {error.reason}; run the clean stage again") from error
