"""Decoding of pictures from outside, and access to packed ones."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmrec.data.fetch import fetch_images
from mmrec.data.images import ImageError, RawImages, decode_image, picture_fault
from mmrec.data.packing import write_image_parts
from mmrec.data.sources.source import ImageRef
from mmrec.io import DataError, content_key
from tests.data.raw_world import jpeg


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_decodes_to_rgb(kind: str) -> None:
    image = decode_image(_encoded(Image.new("RGB", (5, 3), (200, 200, 200)), kind))
    assert (image.mode, image.size) == ("RGB", (5, 3))
    assert np.abs(np.asarray(image).astype(int) - 200).max() <= 2


def test_a_picture_is_turned_as_its_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(_encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)).size == (4, 8)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    options = {"transparency": 0} if mode == "P" else {}
    source = image.convert(mode) if mode != "P" else Image.new("P", (4, 4), 0)
    assert np.asarray(decode_image(_encoded(source, "PNG", **options))).min() == 255


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    values = np.array([[0, 32768, 65535]], dtype=np.uint16)
    image = decode_image(_encoded(Image.fromarray(values), "PNG"))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255]


def test_other_modes_become_rgb() -> None:
    assert decode_image(_encoded(Image.new("CMYK", (4, 4)), "JPEG")).mode == "RGB"
    assert decode_image(_encoded(Image.new("1", (4, 4)), "PNG")).mode == "RGB"


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b""))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"broken", "not_an_image"),
        (b"<html>404</html>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
        (jpeg()[:-30], "damaged_image"),
        (jpeg()[:100], "damaged_image"),
        (_encoded(Image.effect_noise((64, 64), 50), "PNG")[:-500], "damaged_image"),
        (_png_header(9_000, 8_000), "too_many_pixels"),
        (_png_header(60_000, 60_000), "too_many_pixels"),
    ],
    ids=["empty", "text", "html", "eps", "cut", "header", "cut png", "72 MP", "3600 MP"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_has_a_short_reason(data: bytes, reason: str) -> None:
    for min_side in (None, 1):
        with pytest.raises(ImageError, match=f"^{reason}$"):
            decode_image(data, min_side=min_side)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=64), st.integers(0, 500), st.integers(0, 255))
def test_damaged_bytes_raise_nothing_but_image_errors(head: bytes, at: int, value: int) -> None:
    data = bytearray(jpeg())
    data[at % len(data)] = value
    for candidate in (head, bytes(data), jpeg()[:20] + head):
        with contextlib.suppress(ImageError):
            assert decode_image(candidate).mode == "RGB"


def test_a_fault_is_named() -> None:
    assert picture_fault(jpeg()) == ""
    assert picture_fault(b"<svg/>") == "not_an_image"


def test_a_lack_of_memory_says_nothing_about_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(image: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr("mmrec.data.images._to_rgb", convert)
    with pytest.raises(MemoryError):
        decode_image(jpeg())


def test_a_jpeg_may_be_decoded_smaller_but_not_below_the_given_side() -> None:
    image = decode_image(jpeg(size=(800, 400)), min_side=100)
    assert image.size == (200, 100)


def _packed(folder: Path, contents: list[bytes]) -> RawImages:
    refs = [ImageRef(str(n), 0, str(n), data) for n, data in enumerate(contents)]
    fetch_images(refs, folder / "images", folder / "links.parquet")
    return RawImages(folder / "images")


def test_pictures_are_read_by_key_and_in_order_of_key(tmp_path: Path) -> None:
    contents = [f"picture {n}".encode() for n in range(1_000)]
    images = _packed(tmp_path, contents)
    expected = {content_key(data): data for data in contents}
    assert len(images) == 1_000
    assert images.keys() == sorted(expected)
    assert list(images.iterate()) == sorted(expected.items())
    some = sorted(expected)[::7]
    assert [key for key, _ in images.iterate([*reversed(some), some[0]])] == some


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    images = _packed(tmp_path, [b"a"])
    with pytest.raises(DataError, match=r"1 pictures not found \(first: 0{32}\)"):
        list(images.iterate([bytes(16)]))
    with pytest.raises(DataError, match="not found"):
        list(images.iterate([b"\xff" * 16]))


def test_no_pictures_is_an_empty_folder_of_parts(tmp_path: Path) -> None:
    images = _packed(tmp_path, [])
    assert len(images) == 0
    assert list(images.iterate()) == []
    with pytest.raises(DataError, match="run the crawl stage"):
        RawImages(tmp_path / "nowhere")


def test_parts_out_of_order_are_refused(tmp_path: Path) -> None:
    write_image_parts([(b"\x02" * 16, b"b"), (b"\x01" * 16, b"a")], tmp_path)
    with pytest.raises(DataError, match="out of order"):
        RawImages(tmp_path)


@settings(deadline=None, max_examples=25)
@given(st.sets(st.binary(min_size=16, max_size=16), max_size=20))
def test_any_key_is_found(tmp_path_factory: pytest.TempPathFactory, keys: set[bytes]) -> None:
    folder = tmp_path_factory.mktemp("images")
    edges = keys | {bytes(16), b"\x00" * 15 + b"\x01", b"\x01" + bytes(15)}
    write_image_parts([(key, key * 2) for key in sorted(edges)], folder)
    images = RawImages(folder)
    assert all(list(images.iterate([key])) == [(key, key * 2)] for key in edges)
