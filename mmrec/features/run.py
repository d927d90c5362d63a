"""Contents in, feature rows out: every distinct content is encoded once."""

from __future__ import annotations

import logging
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import ImageError, RawImages, decode_image
from mmrec.features.canonical import IntArray
from mmrec.features.extractor import Extractor, FloatArray
from mmrec.io import DataError, PartWriter, sentence_key
from mmrec.stage import progress

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmrec.features.extractor import ImageExtractor, TextExtractor

T = TypeVar("T")

logger = logging.getLogger(__name__)

_CONTENTS_PER_CALL: Final = 16_384
_ROWS_PER_WRITE: Final = 16_384
_PRECISIONS: Final = {"float16": pa.float16(), "float32": pa.float32()}


@dataclass(frozen=True)
class DistinctRows:
    """Rows by item and position, and the distinct contents behind them."""

    table: pa.Table
    """As given, in ascending order of item_id, position."""
    keys: list[bytes]
    """Distinct content keys, ascending."""
    first_row: IntArray
    """A row of each distinct content."""
    content_of_row: IntArray
    """Index into `keys` of each row."""

    def item_of(self, content: int) -> str:
        """The first item that has the content."""
        return str(self.table["item_id"][int(self.first_row[content])].as_py())


def embed_sentences(
    sentences: pa.Table, extractor: TextExtractor, directory: Path, *, precision: str
) -> dict[str, int]:
    """Write a vector per sentence to `directory`; counts rows, contents, repeats and dimension.

    Args:
        sentences: columns item_id, position, sentence; others are not read.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".

    Raises:
        DataError: a row is there twice, or a vector is not usable; names extractor and item.
    """
    keys = [sentence_key(text) for text in sentences["sentence"].to_pylist()]
    table = sentences.select(["item_id", "position", "sentence"])
    rows = distinct_rows(table.append_column("content_key", pa.array(keys, schemas.CONTENT_KEY)))
    texts = rows.table["sentence"].take(pa.array(rows.first_row)).to_pylist()
    # The key is that of the canonical form, so that form is what is encoded.
    contents = (unicodedata.normalize("NFC", text) for text in texts)
    vectors = _encode(contents, rows, extractor, precision, "sentences")
    return _write(vectors, rows, extractor, precision, directory)


def embed_images(
    images: pa.Table,
    raw_images: RawImages,
    extractor: ImageExtractor,
    directory: Path,
    *,
    precision: str,
) -> dict[str, int]:
    """Write a vector per picture to `directory`; counts rows, contents, repeats and dimension.

    Args:
        images: columns item_id, position, content_key.
        raw_images: the bytes behind the content keys; one picture is decoded at a time.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".

    Raises:
        DataError: a picture is missing or does not decode, a row is there twice, or a vector is
            not usable; names the item.
    """
    rows = distinct_rows(images.select(["item_id", "position", "content_key"]))
    vectors = _encode(pictures(rows, raw_images), rows, extractor, precision, "images")
    return _write(vectors, rows, extractor, precision, directory)


def distinct_rows(table: pa.Table) -> DistinctRows:
    """Sort rows by item_id, position and find the distinct values of their content_key.

    Raises:
        DataError: two rows have the same item_id and position.
    """
    table = table.sort_by([("item_id", "ascending"), ("position", "ascending")]).combine_chunks()
    items, positions = table["item_id"].to_numpy(), table["position"].to_numpy()
    repeated = np.flatnonzero((items[1:] == items[:-1]) & (positions[1:] == positions[:-1]))
    if repeated.size:
        row = int(repeated[0])
        raise DataError(
            f"{repeated.size} rows have the item_id and position of another (first: "
            f"'{items[row]}', {positions[row]}); run the clean stage again"
        )
    raw = b"".join(table["content_key"].to_pylist())
    unique, first_row, content_of_row = np.unique(
        np.frombuffer(raw, dtype="S16"), return_index=True, return_inverse=True
    )
    joined = unique.tobytes()
    keys = [joined[i : i + 16] for i in range(0, len(joined), 16)]
    return DistinctRows(table, keys, first_row, content_of_row)


def pictures(rows: DistinctRows, raw_images: RawImages) -> Iterator[Image]:
    """The decoded picture of each distinct content, one at a time.

    Raises:
        DataError: a picture is not there or does not decode.
    """
    for content, (key, data) in enumerate(raw_images.iterate(rows.keys)):
        try:
            yield decode_image(data)
        except ImageError as error:
            raise DataError(
                f"picture {key.hex()} of item '{rows.item_of(content)}': {error.reason}; "
                "run the clean stage again"
            ) from error


def checked(vectors: FloatArray, count: int, extractor: Extractor[Any], item: str) -> FloatArray:
    """The vectors, if there are `count` of the promised dimension.

    Raises:
        DataError: there are not; names the extractor and the item they begin with.
    """
    if vectors.shape != (count, extractor.dim):
        raise DataError(
            f"extractor {extractor.fingerprint.extractor}: found vectors of shape {vectors.shape}, "
            f"expected {(count, extractor.dim)}, from item '{item}' on; correct the extractor"
        )
    return vectors


def _encode(
    contents: Iterator[T],
    rows: DistinctRows,
    extractor: Extractor[T],
    precision: str,
    unit: str,
) -> npt.NDArray[Any]:
    started = time.perf_counter()
    total, name = len(rows.keys), extractor.fingerprint.extractor
    kept = np.empty((total, extractor.dim), np.dtype(precision))
    drawn = iter(progress(contents, total=total, unit=unit, desc=name))
    for start in range(0, total, _CONTENTS_PER_CALL):
        count = min(_CONTENTS_PER_CALL, total - start)
        vectors = extractor.encode(islice(drawn, count))
        usable = checked(vectors, count, extractor, rows.item_of(start))
        # What a half cannot hold becomes infinite, which is refused below.
        with np.errstate(over="ignore"):
            kept[start : start + count] = usable
    unusable = np.flatnonzero(~np.isfinite(kept).all(1))
    if unusable.size:
        item = rows.item_of(int(unusable[0]))
        raise DataError(
            f"extractor {name}: {unusable.size} vectors are not finite in {precision} (first: item "
            f"'{item}'); look at that item's content, or keep the feature as float32"
        )
    seconds = time.perf_counter() - started
    rate = total / max(seconds, 1e-9)
    logger.info("%s: encoded %s %s in %.1f s (%.0f/s)", name, f"{total:,}", unit, seconds, rate)
    return kept


def _write(
    vectors: npt.NDArray[Any],
    rows: DistinctRows,
    extractor: Extractor[Any],
    precision: str,
    directory: Path,
) -> dict[str, int]:
    schema = schemas.features(extractor.dim, _PRECISIONS[precision]).with_metadata(
        {schemas.FINGERPRINT_KEY: extractor.fingerprint.kept_as(precision).to_json()}
    )
    keyed = rows.table.select(["item_id", "position", "content_key"])
    with PartWriter(directory, schema) as writer:
        for start in range(0, keyed.num_rows, _ROWS_PER_WRITE):
            chosen = vectors[rows.content_of_row[start : start + _ROWS_PER_WRITE]]
            embedding = pa.FixedSizeListArray.from_arrays(
                pa.array(chosen.reshape(-1)), type=schema.field("embedding").type
            )
            part = keyed.slice(start, _ROWS_PER_WRITE).append_column("embedding", embedding)
            writer.write(part)
    num_rows, num_contents = keyed.num_rows, len(rows.keys)
    return {
        "rows": num_rows,
        "contents": num_contents,
        "repeats": num_rows - num_contents,
        "dim": extractor.dim,
    }
