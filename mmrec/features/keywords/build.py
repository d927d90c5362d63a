"""From params to keywords, by both towers of one CLIP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, assert_never

from mmrec.features.keywords.clip import build_clip
from mmrec.params.datasets import KeywordsParams, NoKeywordsParams, OpenClipKeywordsParams

if TYPE_CHECKING:
    import pyarrow as pa

    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import FeatureCache
    from mmrec.features.contract import ImageExtractor
    from mmrec.features.keywords.assign import Keywords


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
    from mmrec.features.encode.executor import choose_executor
    from mmrec.features.keywords.assign import assign_keywords, no_keywords
    from mmrec.features.keywords.dictionary import build_dictionary

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
