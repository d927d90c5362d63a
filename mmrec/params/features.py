"""Frozen extractors, and what each of them reads and writes."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from mmrec.params.knockout import KnockoutParams
from mmrec.params.named_files import NAMES_NO_FILE
from mmrec.params.section import FROM_LIST, Name, Section

Revision = Annotated[str, NAMES_NO_FILE]
"""Branch, tag or commit of a repository on the hub."""

Level = Literal["vectors", "tokens"]
"""What a feature has of a content: one vector, or the states of its tokens."""

StoredLevel = Level | Literal["words"]
BAG_OF_WORDS: Final = "bag_of_words"
"""A feature of every dataset, which `clean` writes: the words of each item, of level `words`."""


class SentenceTransformerParams(Section):
    """Any sentence-transformers model."""

    name: Literal["sentence_transformer"]
    model: str
    """Hub id, folder, or `package:<module>` for weights inside an installed package."""
    revision: Revision | None
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


def refuse_part_of_tokens(below_last: int, *, special_tokens: bool) -> None:
    """States for further blocks must be complete.

    Raises:
        ValueError: they are not.
    """
    if below_last and not special_tokens:
        raise ValueError(
            f"special_tokens is false with below_last {below_last}, but the last blocks read "
            "those tokens; set special_tokens to true"
        )


class ImagePreparationParams(Section):
    """How a picture becomes a square tensor, in place of the model's own way."""

    side: PositiveInt
    """Pixels of the square."""
    fit: Literal["squash", "crop"]
    """Scale both sides to the square, or the shorter one and cut out the centre."""
    interpolation: Literal["bilinear", "bicubic"]
    mean: Annotated[tuple[float, float, float], FROM_LIST]
    """By channel, of values in [0, 1]."""
    std: Annotated[tuple[PositiveFloat, PositiveFloat, PositiveFloat], FROM_LIST]


class TimmImageParams(Section):
    """The pooled features of any timm backbone."""

    name: Literal["timm_image"]
    model: str
    """Folder, `hf-hub:<repository>`, or an architecture with or without a pretrained tag."""
    revision: Revision | None
    checkpoint: str | None
    """Weights file of an architecture, in place of its published weights."""
    preparation: ImagePreparationParams | None
    """`null` is what the weights were trained with."""
    normalize: bool


class TransformerTextTokensParams(Section):
    """The token states of any transformers text encoder."""

    name: Literal["transformer_text_tokens"]
    model: str
    """Hub id, folder, or `package:<module>` for weights inside an installed package."""
    revision: Revision | None
    below_last: NonNegativeInt
    """0 keeps final states; k keeps the input of the last k blocks, to be trained on top."""
    special_tokens: bool
    """Keep the states of [CLS], [SEP] and the like; the last k blocks read them."""
    lowercase: bool
    max_length: PositiveInt
    """Tokens of a text that are read, special ones included."""

    @model_validator(mode="after")
    def _blocks_read_all_tokens(self) -> Self:
        refuse_part_of_tokens(self.below_last, special_tokens=self.special_tokens)
        return self


class PatchMaskingParams(Section):
    """Patches hidden at random, as a masked autoencoder is trained."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Of the patches that are hidden: 0.75 in ViT-MAE's training."""
    seed: NonNegativeInt
    """With it and its own pixels, a picture always loses the same patches."""


class TransformerImageTokensParams(Section):
    """The token states (patches, windows or grid positions) of a transformers image encoder."""

    name: Literal["transformer_image_tokens"]
    model: str
    """Hub id, folder, or `package:<module>` for weights inside an installed package."""
    revision: Revision | None
    below_last: NonNegativeInt
    """0 keeps final states; k keeps the input of the last k blocks, to be trained on top."""
    special_tokens: bool
    """Keep the state of the class token, where there is one; the last k blocks read it."""
    preparation: ImagePreparationParams | None
    masking: PatchMaskingParams | None = None
    """Of a ViT-MAE or a CLIP's ViT: class token and visible patches alone pass the blocks."""

    @model_validator(mode="after")
    def _blocks_read_all_tokens(self) -> Self:
        refuse_part_of_tokens(self.below_last, special_tokens=self.special_tokens)
        return self


class VisionLanguageTokensParams(Section):
    """The joint token states of text and picture of an item."""

    name: Literal["vision_language_tokens"]
    model: str
    """Hub id, folder or `package:<module>` of a CLIP, GroupViT, ViLT, VisualBERT or FLAVA."""
    revision: Revision | None
    tokenizer: str | None
    """As `model`; `null` where the model brings its own, which VisualBERT does not."""
    below_last: NonNegativeInt
    """0 keeps final states; k keeps the input of the last k blocks, to be trained on top."""
    lowercase: bool
    max_length: PositiveInt
    """Tokens of a text that are read, special ones included."""
    preparation: ImagePreparationParams | None
    visual: TransformerImageTokensParams | None
    """What gives VisualBERT its visual embeddings; `null` for all others."""


TextExtractorParams = Annotated[
    SentenceTransformerParams | OpenClipTextParams | TransformerTextTokensParams,
    Field(discriminator="name"),
]
ImageExtractorParams = Annotated[
    OpenClipImageParams | TimmImageParams | TransformerImageTokensParams,
    Field(discriminator="name"),
]
Precision = Literal["float16", "float32"]


def refuse_several_contents(extractor: Section, setting: str, found: object, wanted: str) -> None:
    """What last blocks are trained on is one content per item.

    Raises:
        ValueError: an item may have several.
    """
    below_last = getattr(extractor, "below_last", 0)
    if below_last:
        raise ValueError(
            f"{setting} is {'null' if found is None else found} with extractor.below_last "
            f"{below_last}, which gives an item several contents, but the last blocks are trained "
            f"on one per item; set {setting} to {wanted}, or below_last to 0"
        )


def level_of(extractor: Section) -> Level:
    """Whether an extractor gives a content one vector or the states of its tokens."""
    kinds = (TransformerTextTokensParams, TransformerImageTokensParams, VisionLanguageTokensParams)
    return "tokens" if isinstance(extractor, kinds) else "vectors"


class EmbedTextParams(Section):
    """One frozen extractor over the sentences of a dataset."""

    dataset: Name
    feature: Name
    input: Literal["clean/sentences.parquet", "keywords/keywords.parquet"]
    per: Literal["sentence", "item"]
    """What is encoded: each sentence, or all of an item's joined by spaces."""
    precision: Precision
    extractor: TextExtractorParams
    knockout: KnockoutParams | None = None

    @model_validator(mode="after")
    def _blocks_read_one_content(self) -> Self:
        if self.per == "sentence":
            refuse_several_contents(self.extractor, "per", self.per, "item")
        return self


class EmbedImageParams(Section):
    """One frozen extractor over the pictures of a dataset."""

    dataset: Name
    feature: Name
    max_per_item: PositiveInt | None
    """How many of an item's pictures are encoded, the first ones; `null` is all of them."""
    precision: Precision
    extractor: ImageExtractorParams
    knockout: KnockoutParams | None = None

    @model_validator(mode="after")
    def _blocks_read_one_content(self) -> Self:
        if self.max_per_item != 1:
            refuse_several_contents(self.extractor, "max_per_item", self.max_per_item, "1")
        return self


class EmbedPairParams(Section):
    """One frozen vision-language model over text and first picture of every item."""

    dataset: Name
    feature: Name
    precision: Precision
    extractor: VisionLanguageTokensParams
    knockout: KnockoutParams | None = None


class EmbedParams(Section):
    """Features by kind of input."""

    text: dict[Name, EmbedTextParams]
    """Of sentences or of keywords."""
    image: dict[Name, EmbedImageParams]
    """Of pictures."""
    pair: dict[Name, EmbedPairParams]
    """Of text and picture together."""
