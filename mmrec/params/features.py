"""Frozen extractors, and what each of them reads and writes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from mmrec.params.section import Name, Section


class SentenceTransformerParams(Section):
    """Any sentence-transformers model."""

    name: Literal["sentence_transformer"]
    model: str
    """Hub id, folder, or `package:<module>` for weights inside an installed package."""
    revision: str | None
    normalize: bool
    max_length: PositiveInt | None


class OpenClipTextParams(Section):
    """The text tower of an open_clip model."""

    name: Literal["open_clip_text"]
    model: str
    pretrained: str | None
    normalize: bool


class OpenClipImageParams(Section):
    """The image tower of an open_clip model."""

    name: Literal["open_clip_image"]
    model: str
    pretrained: str | None
    normalize: bool


TextExtractorParams = Annotated[
    SentenceTransformerParams | OpenClipTextParams, Field(discriminator="name")
]
ImageExtractorParams = OpenClipImageParams
Precision = Literal["float16", "float32"]


class EmbedTextParams(Section):
    """One frozen extractor over the sentences of a dataset."""

    dataset: Name
    feature: Name
    input: Literal["clean/sentences.parquet", "keywords/keywords.parquet"]
    precision: Precision
    extractor: TextExtractorParams


class EmbedImageParams(Section):
    """One frozen extractor over the pictures of a dataset."""

    dataset: Name
    feature: Name
    precision: Precision
    extractor: ImageExtractorParams


class EmbedParams(Section):
    """Features by kind of input."""

    text: dict[Name, EmbedTextParams]
    image: dict[Name, EmbedImageParams]
