"""Packed picture bytes in, one picture or an ordered stream of them out; and decoding."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, ImageOps, UnidentifiedImageError

from mmrec import schemas
from mmrec.io import DataError, check_schema, open_parquet, part_files

MAX_PIXELS = 64_000_000
"""A picture with more pixels is refused before it is decoded."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What the web uses; Pillow's other decoders are not run on bytes from outside."""


class ImageError(Exception):
    """Bytes are not a picture; the message is a short reason that tables can hold."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode_image(data: bytes, *, min_side: int | None = None) -> Image.Image:
    """Decode the whole picture to RGB, upright, transparency on white, first frame only.

    Args:
        data: the bytes of the file.
        min_side: a JPEG may be decoded at a fraction of its size, but no side below this.

    Raises:
        ImageError: `empty_file`, `not_an_image`, `too_many_pixels` or `damaged_image`.
    """
    if not data:
        raise ImageError("empty_file")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height <= MAX_PIXELS:
                if min_side is not None:
                    image.draft("RGB", (min_side, min_side))
                image.load()
                return _to_rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError("too_many_pixels") from None
    except UnidentifiedImageError:
        raise ImageError("not_an_image") from None
    except MemoryError:
        # The picture may be whole: a verdict would stand when there is room again.
        raise
    # Pillow's decoders raise whatever a damaged file makes them run into.
    except Exception as error:
        raise ImageError("damaged_image") from error
    raise ImageError("too_many_pixels")


def picture_fault(data: bytes) -> str:
    """The reason why bytes are no picture; empty if they are one."""
    try:
        # The smallest scale still reads all of a JPEG's data.
        decode_image(data, min_side=1)
    except ImageError as error:
        return error.reason
    return ""


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        # 16 bits a pixel: Pillow's own conversion to 8 bits cuts off instead of scaling.
        values = np.asarray(image, dtype=np.float64) / 257
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        upper = image.convert("RGBA")
        white = Image.new("RGBA", upper.size, "white")
        return Image.alpha_composite(white, upper).convert("RGB")
    return image.convert("RGB")


class RawImages:
    """Random and ordered access to a folder of `RAW_IMAGES` parts.

    Holds the keys (16 bytes a picture); of the bytes only the row group being read.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._num_rows = 0
        self._groups: list[tuple[Path, int]] = []
        self._starts: list[int] = []
        paths = part_files(directory)
        self._keys = np.frombuffer(b"".join(map(self._scan, paths)), dtype="S16")
        if not paths:
            raise DataError(f"{directory}: no part-*.parquet in it; run the crawl stage")
        if not (self._keys[1:] > self._keys[:-1]).all():
            raise DataError(f"{directory}: keys repeat or are out of order; run the crawl stage")

    def _scan(self, path: Path) -> bytes:
        with open_parquet(path) as file:
            check_schema(file.schema_arrow, schemas.RAW_IMAGES, path)
            for group in range(file.num_row_groups):
                self._groups.append((path, group))
                self._starts.append(self._num_rows)
                self._num_rows += file.metadata.row_group(group).num_rows
            return b"".join(file.read(columns=["content_key"]).column(0).to_pylist())

    def __len__(self) -> int:
        """Number of distinct pictures."""
        return len(self._keys)

    def keys(self) -> list[bytes]:
        """All content keys, ascending."""
        raw = self._keys.tobytes()
        return [raw[i : i + 16] for i in range(0, len(raw), 16)]

    def iterate(self, keys: Iterable[bytes] | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, bytes) in ascending order of key, each distinct key once.

        Args:
            keys: the pictures wanted, in any order; all of them by default.

        Raises:
            DataError: a key has no picture here.
        """
        wanted = sorted(set(self.keys() if keys is None else keys))
        rows = self._rows(wanted)
        begin = 0
        while begin < len(rows):
            group = bisect_right(self._starts, rows[begin]) - 1
            start = self._starts[group]
            end = begin
            limit = self._starts[group + 1] if group + 1 < len(self._starts) else len(self._keys)
            while end < len(rows) and rows[end] < limit:
                end += 1
            values = self._read_group(group)
            for key, row in zip(wanted[begin:end], rows[begin:end], strict=True):
                yield key, values[row - start].as_py()
            begin = end

    def _rows(self, wanted: list[bytes]) -> list[int]:
        if not wanted:
            return []
        sought = np.frombuffer(b"".join(wanted), dtype="S16")
        rows = np.searchsorted(self._keys, sought)
        found = rows < len(self._keys)
        found[found] = self._keys[rows[found]] == sought[found]
        if not found.all():
            missing = wanted[int(np.argmin(found))].hex()
            raise DataError(
                f"{self._directory}: {int((~found).sum())} pictures not found"
                f" (first: {missing}); run the crawl stage again"
            )
        return [int(row) for row in rows]

    def _read_group(self, group: int) -> pa.ChunkedArray:
        path, number = self._groups[group]
        with open_parquet(path) as file:
            try:
                return file.read_row_group(number, columns=["bytes"]).column(0)
            except (pa.ArrowInvalid, OSError) as error:
                raise DataError(
                    f"{path}: damaged ({error}); delete it and run the crawl stage again"
                ) from None
