"""Params and extractors of token states over tiny checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mmrec.data.images import RawImages
from mmrec.features.cache.place import FeatureCache
from mmrec.features.encode.embed import embed_images, embed_pairs, embed_sentences
from mmrec.features.extractors.build import build_image_tokens, build_pair_tokens, build_text_tokens
from mmrec.params.features import (
    TransformerImageTokensParams,
    TransformerTextTokensParams,
    VisionLanguageTokensParams,
)
from tests.features import worlds

MAX_LENGTH = 20
ITEMS = ["a", "b", "c", "d"]
TEXTS = ["red shirt", "the soft green shirt with blue stripes", "cotton", "red and blue"]


class Case(NamedTuple):
    input: str
    kind: str


def text_params(model: Path | str, **changes: Any) -> TransformerTextTokensParams:
    settings = {
        "name": "transformer_text_tokens",
        "model": str(model),
        "revision": None,
        "below_last": 0,
        "special_tokens": True,
        "lowercase": True,
        "max_length": MAX_LENGTH,
        **changes,
    }
    return TransformerTextTokensParams.model_validate(settings)


def image_params(model: Path | str, **changes: Any) -> TransformerImageTokensParams:
    settings = {
        "name": "transformer_image_tokens",
        "model": str(model),
        "revision": None,
        "below_last": 0,
        "special_tokens": True,
        "preparation": None,
        **changes,
    }
    return TransformerImageTokensParams.model_validate(settings)


def pair_params(model: Path | str, **changes: Any) -> VisionLanguageTokensParams:
    settings = {
        "name": "vision_language_tokens",
        "model": str(model),
        "revision": None,
        "tokenizer": None,
        "below_last": 0,
        "lowercase": True,
        "max_length": MAX_LENGTH,
        "preparation": None,
        "visual": None,
        **changes,
    }
    return VisionLanguageTokensParams.model_validate(settings)


def build_case(folder_of: Callable[[str], Path], case: Case, **changes: Any) -> Any:
    """The extractor of a case, over its own tiny checkpoint unless `changes` name another."""
    model = changes.pop("model", folder_of(case.kind))
    if case.input == "text":
        return build_text_tokens(text_params(model, **changes))
    if case.input == "image":
        return build_image_tokens(image_params(model, **changes))
    if case.kind == "visual_bert":
        visual = image_params(folder_of("resnet"))
        changes = {"tokenizer": str(folder_of("tokenizer")), "visual": visual, **changes}
    return build_pair_tokens(pair_params(model, **changes))


def embed_case(extractor: Any, case: Case, folder: Path, *, precision: str = "float32") -> Path:
    """The feature of four items by an extractor."""
    cache = FeatureCache(folder.parent / "cache", None)
    sentences = worlds.sentences([(i, 0, text) for i, text in zip(ITEMS, TEXTS, strict=True)])
    pictures = [worlds.png(seed) for seed in range(4)]
    images = worlds.images([(i, 0, data) for i, data in zip(ITEMS, pictures, strict=True)])
    if case.input == "text":
        embed_sentences(sentences, extractor, folder, precision=precision, cache=cache)
        return folder
    raw = RawImages(worlds.write_raw_images(folder.parent / "raw", pictures))
    if case.input == "image":
        embed_images(images, raw, extractor, folder, precision=precision, cache=cache)
    else:
        embed_pairs(sentences, images, raw, extractor, folder, precision=precision, cache=cache)
    return folder
