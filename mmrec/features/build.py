"""From params to extractors; each case imports its own libraries."""

from __future__ import annotations

from functools import cache as cache_result
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, assert_never

from mmrec.features.lazy import remembered
from mmrec.params.datasets import KeywordsParams, NoKeywordsParams, OpenClipKeywordsParams
from mmrec.params.features import (
    ImageExtractorParams,
    ImagePreparationParams,
    OpenClipImageParams,
    OpenClipTextParams,
    SentenceTransformerParams,
    TextExtractorParams,
    TimmImageParams,
    TransformerImageTokensParams,
    TransformerTextTokensParams,
    VisionLanguageTokensParams,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.extractor import (
        ImageExtractor,
        ImageTokenExtractor,
        PairTokenExtractor,
        TextExtractor,
        TextTokenExtractor,
    )
    from mmrec.features.image_preparation import Preparation
    from mmrec.features.image_tokens import TransformerImageTokensExtractor
    from mmrec.features.keywords import Keywords
    from mmrec.features.open_clip_model import OpenClipModel


class Clip(NamedTuple):
    """Both towers of one model, whose vectors are of length 1 and share a space."""

    image: ImageExtractor
    text: TextExtractor
    model: Callable[[], OpenClipModel]
    """Loads it, unless it has been."""


def build_text_extractor(
    params: TextExtractorParams, *, device: str = "cpu"
) -> TextExtractor | TextTokenExtractor:
    """The extractor of texts that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    match params:
        case SentenceTransformerParams():
            from mmrec.features.sentence_transformer import SentenceTransformerExtractor

            return SentenceTransformerExtractor(
                params.model,
                revision=params.revision,
                normalize=params.normalize,
                max_length=params.max_length,
                device=device,
            )
        case OpenClipTextParams():
            from mmrec.features.open_clip_extractors import OpenClipTextExtractor
            from mmrec.features.open_clip_model import load_open_clip

            model = load_open_clip(params.model, params.pretrained, device)
            return OpenClipTextExtractor(model, normalize=params.normalize)
        case TransformerTextTokensParams():
            return build_text_tokens(params, device=device)
        case _:
            assert_never(params)


def build_image_extractor(
    params: ImageExtractorParams, *, device: str = "cpu"
) -> ImageExtractor | ImageTokenExtractor:
    """The extractor of pictures that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    match params:
        case OpenClipImageParams():
            from mmrec.features.open_clip_extractors import OpenClipImageExtractor
            from mmrec.features.open_clip_model import load_open_clip

            model = load_open_clip(params.model, params.pretrained, device)
            return OpenClipImageExtractor(model, normalize=params.normalize)
        case TimmImageParams():
            from mmrec.features.timm_image import TimmImageExtractor

            return TimmImageExtractor(
                params.model,
                revision=params.revision,
                checkpoint=params.checkpoint,
                preparation=_preparation(params.preparation),
                normalize=params.normalize,
                device=device,
            )
        case TransformerImageTokensParams():
            return build_image_tokens(params, device=device)
        case _:
            assert_never(params)


def build_text_tokens(
    params: TransformerTextTokensParams, *, device: str = "cpu"
) -> TextTokenExtractor:
    """The extractor of a text's token states that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    from mmrec.features.text_tokens import TransformerTextTokensExtractor

    return TransformerTextTokensExtractor(
        params.model,
        revision=params.revision,
        below_last=params.below_last,
        special_tokens=params.special_tokens,
        lowercase=params.lowercase,
        max_length=params.max_length,
        device=device,
    )


def build_image_tokens(
    params: TransformerImageTokensParams, *, device: str = "cpu"
) -> TransformerImageTokensExtractor:
    """The extractor of a picture's token states that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    from mmrec.features.image_tokens import TransformerImageTokensExtractor

    return TransformerImageTokensExtractor(
        params.model,
        revision=params.revision,
        below_last=params.below_last,
        special_tokens=params.special_tokens,
        preparation=_preparation(params.preparation),
        device=device,
    )


def build_pair_tokens(
    params: VisionLanguageTokensParams, *, device: str = "cpu"
) -> PairTokenExtractor:
    """The extractor of the joint token states of text and picture that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    from mmrec.features.vision_language import VisionLanguageTokensExtractor

    return VisionLanguageTokensExtractor(
        params.model,
        revision=params.revision,
        tokenizer=params.tokenizer,
        below_last=params.below_last,
        lowercase=params.lowercase,
        max_length=params.max_length,
        preparation=_preparation(params.preparation),
        visual=build_image_tokens(params.visual, device=device) if params.visual else None,
        device=device,
    )


def _preparation(params: ImagePreparationParams | None) -> Preparation | None:
    from mmrec.features.image_preparation import square_preparation

    return None if params is None else square_preparation(params)


def build_clip(
    model: str, pretrained: str | None, *, device: str = "cpu", memory: Path | None = None
) -> Clip:
    """Both towers of an open_clip model, for cosine similarities between pictures and texts.

    Args:
        model: as in the params of its extractors.
        pretrained: as there.
        device: where the model runs.
        memory: folder of remembered fingerprints: the model is then loaded when it is needed.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    from mmrec.features.open_clip_extractors import OpenClipImageExtractor, OpenClipTextExtractor
    from mmrec.features.open_clip_model import load_open_clip

    load = cache_result(partial(load_open_clip, model, pretrained, device))

    def image() -> ImageExtractor:
        return OpenClipImageExtractor(load(), normalize=True)

    def text() -> TextExtractor:
        return OpenClipTextExtractor(load(), normalize=True)

    if memory is None:
        return Clip(image(), text(), load)
    settings = {"model": model, "pretrained": pretrained, "normalize": True}
    return Clip(
        remembered({"name": "open_clip_image", **settings}, image, memory),
        remembered({"name": "open_clip_text", **settings}, text, memory),
        load,
    )


def make_keywords(
    params: KeywordsParams,
    *,
    images: pa.Table,
    sentences: pa.Table,
    raw_images: RawImages,
    device: str,
    cache: FeatureCache | None = None,
) -> Keywords:
    """The keywords of a dataset's pictures, as `params` describe.

    Args:
        params: the model, the dictionary and how many words; or that there are none.
        images: IMAGES of the dataset.
        sentences: SENTENCES of the dataset, for a dictionary of its own words.
        raw_images: the bytes behind the content keys.
        device: where the model runs.
        cache: where the vectors of pictures and words are looked for and kept.
    """
    from mmrec.features.dictionary import build_dictionary
    from mmrec.features.executor import choose_executor
    from mmrec.features.keywords import assign_keywords, no_keywords

    match params:
        case NoKeywordsParams():
            return no_keywords()
        case OpenClipKeywordsParams():
            clip = build_clip(
                params.model,
                params.pretrained,
                device=device,
                memory=cache.root / "fingerprints" if cache else None,
            )
            return assign_keywords(
                images,
                raw_images,
                clip,
                build_dictionary(params.dictionary, sentences=sentences, clip=clip.model),
                num_keywords=params.num_keywords,
                prompt=params.prompt,
                cache=cache,
                executor=choose_executor(partial(_clip_images, params.model, params.pretrained)),
            )
        case _:
            assert_never(params)


def _clip_images(model: str, pretrained: str | None) -> ImageExtractor:
    from mmrec.device import choose_device

    return build_clip(model, pretrained, device=str(choose_device())).image
