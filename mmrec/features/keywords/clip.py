"""Both towers of one CLIP, for cosine similarities between pictures and texts."""

from __future__ import annotations

from functools import cache as cache_result
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mmrec.features.extractors.lazy import remembered
from mmrec.params.features import OpenClipImageParams, OpenClipTextParams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmrec.features.contract import ImageExtractor, TextExtractor
    from mmrec.features.extractors.open_clip_model import OpenClipModel


class Clip(NamedTuple):
    """Both towers of one model, whose vectors are of length 1 and share a space."""

    image: ImageExtractor
    text: TextExtractor
    model: Callable[[], OpenClipModel]
    """Loads it, unless it has been."""


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
    from mmrec.features.extractors.open_clip import OpenClipImageExtractor, OpenClipTextExtractor
    from mmrec.features.extractors.open_clip_model import load_open_clip

    load = cache_result(partial(load_open_clip, model, pretrained, device))

    def image() -> ImageExtractor:
        return OpenClipImageExtractor(load(), normalize=True)

    def text() -> TextExtractor:
        return OpenClipTextExtractor(load(), normalize=True)

    if memory is None:
        return Clip(image(), text(), load)
    of_image = OpenClipImageParams(
        name="open_clip_image", model=model, pretrained=pretrained, normalize=True
    )
    of_text = OpenClipTextParams(
        name="open_clip_text", model=model, pretrained=pretrained, normalize=True
    )
    return Clip(remembered(of_image, image, memory), remembered(of_text, text, memory), load)
