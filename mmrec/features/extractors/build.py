"""From params to extractors; each case imports its own libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from mmrec.params.features import (
    ImageExtractorParams,
    ImagePreparationParams,
    OpenClipImageParams,
    OpenClipTextParams,
    PatchMaskingParams,
    SentenceTransformerParams,
    TextExtractorParams,
    TimmImageParams,
    TransformerImageTokensParams,
    TransformerTextTokensParams,
    VisionLanguageTokensParams,
)

if TYPE_CHECKING:
    from mmrec.features.contract import (
        ImageExtractor,
        ImageTokenExtractor,
        PairTokenExtractor,
        TextExtractor,
        TextTokenExtractor,
    )
    from mmrec.features.extractors.image_preparation import Preparation
    from mmrec.features.extractors.patch_masking import PatchMasking
    from mmrec.features.extractors.transformer_image_tokens import TransformerImageTokensExtractor


def build_text_extractor(
    params: TextExtractorParams, *, device: str = "cpu"
) -> TextExtractor | TextTokenExtractor:
    """The extractor of texts that `params` describe.

    Raises:
        WeightsError: its weights cannot be loaded.
    """
    match params:
        case SentenceTransformerParams():
            from mmrec.features.extractors.sentence_transformer import SentenceTransformerExtractor

            return SentenceTransformerExtractor(
                params.model,
                revision=params.revision,
                normalize=params.normalize,
                max_length=params.max_length,
                device=device,
            )
        case OpenClipTextParams():
            from mmrec.features.extractors.open_clip import OpenClipTextExtractor
            from mmrec.features.extractors.open_clip_model import load_open_clip

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
            from mmrec.features.extractors.open_clip import OpenClipImageExtractor
            from mmrec.features.extractors.open_clip_model import load_open_clip

            model = load_open_clip(params.model, params.pretrained, device)
            return OpenClipImageExtractor(model, normalize=params.normalize)
        case TimmImageParams():
            from mmrec.features.extractors.timm_image import TimmImageExtractor

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
    from mmrec.features.extractors.transformer_text_tokens import TransformerTextTokensExtractor

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
    from mmrec.features.extractors.transformer_image_tokens import TransformerImageTokensExtractor

    return TransformerImageTokensExtractor(
        params.model,
        revision=params.revision,
        below_last=params.below_last,
        special_tokens=params.special_tokens,
        masking=_masking(params.masking),
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
    from mmrec.features.extractors.vision_language_tokens import VisionLanguageTokensExtractor

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


def _masking(params: PatchMaskingParams | None) -> PatchMasking | None:
    from mmrec.features.extractors.patch_masking import PatchMasking

    return None if params is None else PatchMasking(params.share, params.seed)


def _preparation(params: ImagePreparationParams | None) -> Preparation | None:
    from mmrec.features.extractors.image_preparation import square_preparation

    return None if params is None else square_preparation(params)
