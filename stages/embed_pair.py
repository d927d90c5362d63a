"""embed_pair: text and first picture of each item -> the states of a vision-language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run

if TYPE_CHECKING:
    from mmrec.features.extractor import PairTokenExtractor
    from mmrec.params.features import VisionLanguageTokensParams


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed text and picture of entry `key` of `embed.pair`."""
    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import open_cache
    from mmrec.features.lazy import remembered
    from mmrec.features.run import embed_pairs

    settings = entry(params.embed.pair, key, "embed.pair")
    dataset = paths.dataset(settings.dataset)
    cache = open_cache(paths.root)
    extractor = remembered(
        settings.extractor.model_dump(),
        lambda: _load(settings.extractor),
        cache.root / "fingerprints",
    )
    return embed_pairs(
        read_table(dataset.sentences, schemas.SENTENCES),
        read_table(dataset.images, schemas.IMAGES),
        RawImages(dataset.raw_images),
        extractor,
        dataset.features(settings.feature),
        precision=settings.precision,
        cache=cache,
    )


def _load(params: VisionLanguageTokensParams) -> PairTokenExtractor:
    # Here, so that torch is not imported where everything is in the cache.
    from mmrec.device import choose_device
    from mmrec.features.build import build_pair_tokens

    return build_pair_tokens(params, device=str(choose_device()))


if __name__ == "__main__":
    run(main)
