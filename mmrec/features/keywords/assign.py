"""Pictures in, their nearest dictionary words by CLIP out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import torch

from mmrec import schemas
from mmrec.features.cache.store import store_name
from mmrec.features.contract import FloatArray, IntArray
from mmrec.features.encode.distinct import DistinctRows, distinct_rows
from mmrec.features.encode.executor import LOCAL
from mmrec.features.encode.job import Executor
from mmrec.features.encode.vectors import Vectors, cached_vectors, image_vectors
from mmrec.io import sentence_key

if TYPE_CHECKING:
    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.contract import TextExtractor
    from mmrec.features.keywords.clip import Clip
    from mmrec.features.keywords.dictionary import Dictionary

_IMAGES_AT_ONCE: Final = 4_096
_STEPS: Final = 1_000_000
"""Scores are kept in steps of a millionth: finer differences are rounding errors of the model."""
_NUM_TOP_WORDS: Final = 20


@dataclass(frozen=True)
class Keywords:
    """The keyword table and what is worth knowing about it."""

    table: pa.Table
    summary: dict[str, object]
    vectors: Vectors | None = None
    """Of the pictures, where there are any."""
    stores: tuple[str, ...] = ()
    """Where the feature cache keeps the vectors of pictures and words."""


def no_keywords() -> Keywords:
    """The table of a dataset without keywords."""
    return Keywords(schemas.KEYWORDS.empty_table(), {"images": 0, "contents": 0, "dictionary": 0})


def assign_keywords(
    images: pa.Table,
    raw_images: RawImages,
    clip: Clip,
    dictionary: Dictionary,
    *,
    num_keywords: int,
    prompt: str,
    cache: FeatureCache | None = None,
    executor: Executor = LOCAL,
) -> Keywords:
    """Give every picture its `num_keywords` nearest words; equal pictures are encoded once.

    Args:
        images: columns item_id, position, content_key.
        raw_images: the bytes behind the content keys.
        clip: both towers of one model.
        dictionary: words to choose from; of equally near words the earlier one wins.
        num_keywords: words per picture.
        prompt: text around a word, with "{}" in its place.
        cache: where the vectors of pictures and words are looked for and kept.
        executor: who encodes pictures.

    Raises:
        ValueError: the dictionary has too few words, or the prompt no "{}".
        DataError: a picture is missing, does not decode, or has no usable vector.
    """
    _check(dictionary, num_keywords, prompt)
    rows = distinct_rows(images.select(["item_id", "position", "content_key"]))
    words = _word_vectors(dictionary, prompt, clip.text, cache)
    vectors = image_vectors(
        rows, raw_images, clip.image, cache, precision="float32", executor=executor
    )
    values = vectors.values
    parts = [
        nearest_words(values[start : start + _IMAGES_AT_ONCE], words, num_keywords)
        for start in range(0, len(values), _IMAGES_AT_ONCE)
    ]
    chosen = np.concatenate([np.empty((0, num_keywords), np.int64), *(p[0] for p in parts)])
    scores = np.concatenate([np.empty((0, num_keywords), np.float32), *(p[1] for p in parts)])
    table = _table(rows, dictionary, chosen, scores)
    used = (vectors.fingerprint, clip.text.fingerprint.kept_as("float32"))
    stores = tuple(store_name(fingerprint) for fingerprint in used)
    return Keywords(table, _summary(table, rows, dictionary), vectors, stores)


def _word_vectors(
    dictionary: Dictionary, prompt: str, extractor: TextExtractor, cache: FeatureCache | None
) -> FloatArray:
    """[W, d] vectors of the words in their prompt."""
    texts = [unicodedata.normalize("NFC", prompt.replace("{}", word)) for word in dictionary.words]
    keys = [sentence_key(text) for text in texts]
    text_of = dict(zip(keys, texts, strict=True))
    distinct = sorted(text_of)
    vectors = cached_vectors(
        distinct,
        lambda places: (text_of[distinct[place]] for place in places),
        extractor,
        cache,
        precision="float32",
        unit="words",
        item_of=lambda place: text_of[distinct[place]],
    )
    place_of = {key: place for place, key in enumerate(distinct)}
    values: FloatArray = vectors.values[[place_of[key] for key in keys]]
    return values


def nearest_words(
    images: FloatArray, words: FloatArray, num_keywords: int
) -> tuple[IntArray, FloatArray]:
    """The nearest words of each picture, best first; of equal scores the earlier word.

    Args:
        images: [n, d] vectors of length 1.
        words: [W, d] vectors of length 1.
        num_keywords: words per picture.

    Returns:
        chosen: [n, num_keywords] word indices.
        scores: [n, num_keywords] cosine similarities in [-1, 1], in steps of a millionth.
    """
    # In single precision a sum depends on how many pictures there are, sometimes by a step.
    similarity = torch.from_numpy(images).double() @ torch.from_numpy(words).double().T
    steps = (similarity * _STEPS).round().to(torch.int64).clamp(-_STEPS, _STEPS)
    num_words = len(words)
    # One integer per word carries its score and, below it, its place: no two are equal.
    ranked = (steps + _STEPS) * num_words + torch.arange(num_words - 1, -1, -1)
    best = ranked.topk(num_keywords).values
    chosen = num_words - 1 - best % num_words
    scores = (best // num_words - _STEPS).double() / _STEPS
    return chosen.numpy(), scores.float().numpy()


def _check(dictionary: Dictionary, num_keywords: int, prompt: str) -> None:
    if prompt.count("{}") != 1:
        raise ValueError(
            f"keywords.prompt: found '{prompt}', expected one '{{}}' where the word goes"
        )
    if len(dictionary.words) < num_keywords:
        raise ValueError(
            f"keywords.num_keywords: {num_keywords} words per picture wanted, the dictionary "
            f"({dictionary.source}) has {len(dictionary.words)}; lower the number or give a "
            "larger dictionary"
        )


def _table(
    rows: DistinctRows, dictionary: Dictionary, chosen: IntArray, scores: FloatArray
) -> pa.Table:
    num_keywords = chosen.shape[1]
    words = pa.array(dictionary.words, pa.string())
    contents = rows.content_of_row
    offsets = pa.array(np.arange(len(contents) + 1) * num_keywords, pa.int32())
    names = words.take(pa.array(chosen[contents].reshape(-1)))
    keywords = pa.ListArray.from_arrays(offsets, names)
    columns = {
        **{name: rows.table[name] for name in ("item_id", "position", "content_key")},
        "keywords": keywords,
        "scores": pa.ListArray.from_arrays(offsets, pa.array(scores[contents].reshape(-1))),
        "sentence": pa.compute.binary_join(keywords, " "),
    }
    return pa.table(columns).cast(schemas.KEYWORDS)


def _summary(table: pa.Table, rows: DistinctRows, dictionary: Dictionary) -> dict[str, object]:
    counts = Counter(word for words in table["keywords"].to_pylist() for word in words)
    top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_NUM_TOP_WORDS]
    return {
        "images": table.num_rows,
        "contents": len(rows.keys),
        "dictionary": len(dictionary.words),
        "dictionary_source": dictionary.source,
        "words_used": len(counts),
        "top_words": dict(top),
    }
