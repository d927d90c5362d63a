"""embed_pair: text and first picture of each item -> the states of a vision-language model."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed text and picture of entry `key` of `embed.pair`."""
    from mmrec.data.images import RawImages
    from mmrec.features.encode.embed import embed_pairs
    from mmrec.features.encode.opening import open_extractor
    from mmrec.features.extractors.build import build_pair_tokens

    settings = entry(params.embed.pair, key, "embed.pair")
    dataset = paths.dataset(settings.dataset)
    extractor, cache, executor = open_extractor(settings.extractor, build_pair_tokens, paths.root)
    return embed_pairs(
        read_table(dataset.sentences, schemas.SENTENCES),
        read_table(dataset.images, schemas.IMAGES),
        RawImages(dataset.raw_images),
        extractor,
        dataset.features(settings.feature),
        precision=settings.precision,
        cache=cache,
        executor=executor,
        knockout=settings.knockout,
    )


if __name__ == "__main__":
    run(main)
