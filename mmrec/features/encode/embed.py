"""Contents in, feature rows out: every distinct content is encoded once."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import IntArray
from mmrec.features.encode.distinct import distinct_rows
from mmrec.features.encode.embed_rows import embed_rows
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.job import Executor
from mmrec.features.encode.knockout import knocked_out
from mmrec.features.encode.pairs import item_pairs
from mmrec.features.encode.raw_pictures import (
    RawPair,
    RawPicture,
    decoded,
    decoded_pair,
    raw_pictures,
)
from mmrec.io import sentence_key

if TYPE_CHECKING:
    from mmrec.features.contract import (
        ImageExtractor,
        ImageTokenExtractor,
        PairTokenExtractor,
        TextExtractor,
        TextTokenExtractor,
    )
    from mmrec.params.knockout import KnockoutParams


def embed_sentences(
    sentences: pa.Table,
    extractor: TextExtractor | TextTokenExtractor,
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache | None = None,
    executor: Executor = LOCAL,
    knockout: KnockoutParams | None = None,
) -> dict[str, int]:
    """Write a vector per sentence, or the states of its tokens, to `directory`.

    Counts rows, contents and what was encoded.

    Args:
        sentences: columns item_id, position, sentence; others are not read.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".
        cache: where vectors or states are looked for and kept; states need one.
        executor: who encodes.
        knockout: what the feature is deprived of.

    Raises:
        DataError: a row is there twice, or a vector is not usable; names extractor and item.
    """
    keys = [sentence_key(text) for text in sentences["sentence"].to_pylist()]
    table = sentences.select(["item_id", "position", "sentence"])
    table = table.append_column("content_key", pa.array(keys, schemas.CONTENT_KEY))
    left, hit = knocked_out(table, knockout)
    rows = distinct_rows(left)
    texts = rows.table["sentence"].take(pa.array(rows.first_row)).to_pylist()
    # The key is that of the canonical form, so that form is what is encoded.
    contents = [unicodedata.normalize("NFC", text) for text in texts]
    return embed_rows(
        rows,
        lambda places: (contents[place] for place in places),
        extractor,
        directory,
        precision=precision,
        cache=cache,
        unit="sentences",
        # Of like length together: what is padded is computed for nothing.
        order=np.argsort([len(text) for text in contents], kind="stable"),
        executor=executor,
        knockout=knockout,
        hit=hit,
    )


def embed_images(
    images: pa.Table,
    raw_images: RawImages,
    extractor: ImageExtractor | ImageTokenExtractor,
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache | None = None,
    executor: Executor = LOCAL,
    knockout: KnockoutParams | None = None,
) -> dict[str, int]:
    """Write a vector per picture, or the states of its tokens, to `directory`.

    Counts rows, contents and what was encoded.

    Args:
        images: columns item_id, position, content_key.
        raw_images: the bytes behind the content keys; few pictures are decoded at a time.
        extractor: what encodes them.
        directory: folder of the feature.
        precision: "float16" or "float32".
        cache: where vectors or states are looked for and kept; states need one.
        executor: who encodes.
        knockout: what the feature is deprived of.

    Raises:
        DataError: a picture is missing or does not decode, a row is there twice, or a vector is
            not usable; names the item.
    """
    left, hit = knocked_out(images.select(["item_id", "position", "content_key"]), knockout)
    rows = distinct_rows(left)
    return embed_rows(
        rows,
        lambda places: raw_pictures(rows, places, raw_images),
        extractor,
        directory,
        precision=precision,
        cache=cache,
        unit="images",
        order=np.arange(len(rows.keys)),
        prepare=decoded,
        executor=executor,
        knockout=knockout,
        hit=hit,
    )


def embed_pairs(
    sentences: pa.Table,
    images: pa.Table,
    raw_images: RawImages,
    extractor: PairTokenExtractor,
    directory: Path,
    *,
    precision: str,
    cache: FeatureCache,
    executor: Executor = LOCAL,
    knockout: KnockoutParams | None = None,
) -> dict[str, int]:
    """Write the joint states of every item's text and first picture to `directory`.

    Counts rows, contents and what was encoded.

    Args:
        sentences: columns item_id, position, sentence.
        images: columns item_id, position, content_key.
        raw_images: the bytes behind the content keys.
        extractor: what encodes pairs.
        directory: folder of the feature.
        precision: "float16" or "float32".
        cache: where states are looked for and kept.
        executor: who encodes.
        knockout: what the feature is deprived of.

    Raises:
        DataError: a picture is missing or does not decode, or states are not usable.
    """
    left, hit = knocked_out(item_pairs(sentences, images), knockout)
    rows = distinct_rows(left)
    image_keys = rows.table["image_key"].take(pa.array(rows.first_row)).to_pylist()
    texts = rows.table["text"].take(pa.array(rows.first_row)).to_pylist()
    texts = [unicodedata.normalize("NFC", text) for text in texts]

    def contents(places: IntArray) -> Iterator[RawPair]:
        # Pictures are read in order of their keys; several pairs may have one.
        wanted = [image_keys[place] for place in places]
        drawn = raw_images.iterate(wanted)
        image_key, data = None, b""
        for place, key in zip(places.tolist(), wanted, strict=True):
            if key != image_key:
                image_key, data = next(drawn)
            yield RawPair(texts[place], RawPicture.of(key, rows.item_of(place), data))

    return embed_rows(
        rows,
        contents,
        extractor,
        directory,
        precision=precision,
        cache=cache,
        unit="pairs",
        order=np.array(sorted(range(len(texts)), key=image_keys.__getitem__), np.int64),
        prepare=decoded_pair,
        executor=executor,
        knockout=knockout,
        hit=hit,
    )
