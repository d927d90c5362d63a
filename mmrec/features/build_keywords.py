"""From params to keywords, by both towers of one CLIP."""

from __future__ import annotations

from functools import cache as cache_result
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, assert_never

from mmrec.features.lazy import remembered
from mmrec.params.datasets import KeywordsParams, NoKeywordsParams, OpenClipKeywordsParams

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.extractor import ImageExtractor, TextExtractor
    from mmrec.features.keywords import Keywords
    from mmrec.features.open_clip_model import OpenClipModel


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
