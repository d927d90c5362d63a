"""Thumbnails: small, upright, on white, and a placeholder where a picture is broken."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mmrec import schemas
from mmrec.data.images import ImageError, RawImages
from mmrec.io import DataError, content_key
from mmrec.part_writer import PartWriter
from mmrec.report.thumbnails import Thumbnails, thumbnail
from tests.report.worlds import draw, pack


def _decoded(uri: str) -> Image.Image:
    prefix, data = uri.split(",")
    assert prefix == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(data)))


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_large_pictures_shrink_and_small_ones_stay() -> None:
    assert _decoded(thumbnail(_encoded(Image.new("RGB", (2000, 1000)), "JPEG"), 128)).size == (
        128,
        64,
    )
    assert _decoded(thumbnail(_encoded(Image.new("RGB", (20, 10)), "PNG"), 128)).size == (20, 10)


def test_transparency_lies_on_white() -> None:
    clear = _encoded(Image.new("RGBA", (40, 40), (255, 0, 0, 0)), "PNG")
    assert min(_decoded(thumbnail(clear, 32)).getpixel((16, 16))) > 250


def test_pictures_stand_upright_and_lose_their_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    exif[0x010E] = "secret place"
    turned = _encoded(Image.new("RGB", (100, 50)), "JPEG", exif=exif, comment=b"secret place")
    made = thumbnail(turned, 64)
    assert _decoded(made).size == (32, 64)
    assert b"secret place" not in base64.b64decode(made.split(",")[1])


def test_what_is_no_picture_raises() -> None:
    with pytest.raises(ImageError, match="not_an_image"):
        thumbnail(b"<svg onload=alert(1)>", 64)


def test_broken_pictures_are_placeholders_among_others(tmp_path: Path) -> None:
    good, broken = draw(1), b"broken"
    thumbnails = Thumbnails(RawImages(pack(tmp_path, {"a": good, "b": broken})))
    found = thumbnails.uris([content_key(good), content_key(broken), content_key(good)])
    assert found[content_key(broken)] == ""
    assert _decoded(found[content_key(good)]).size[0] > 100
    assert thumbnails.uris([content_key(good)]) == {content_key(good): found[content_key(good)]}


def test_no_pictures_at_all_are_no_thumbnails(tmp_path: Path) -> None:
    with PartWriter(tmp_path, schemas.RAW_IMAGES):
        pass
    assert Thumbnails(RawImages(tmp_path)).uris([]) == {}


def test_missing_picture_is_an_error_of_the_pipeline(tmp_path: Path) -> None:
    thumbnails = Thumbnails(RawImages(pack(tmp_path, {"a": draw(1)})))
    with pytest.raises(DataError, match="1 pictures not found"):
        thumbnails.uris([bytes(16)])
