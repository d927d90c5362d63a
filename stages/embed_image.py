"""embed_image: pictures -> a vector or the token states of each."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the pictures of entry `key` of `embed.image`."""
    from mmrec.data.images import RawImages
    from mmrec.features.encode.embed import embed_images
    from mmrec.features.encode.inputs import first_images
    from mmrec.features.encode.opening import open_extractor
    from mmrec.features.extractors.build import build_image_extractor

    settings = entry(params.embed.image, key, "embed.image")
    dataset = paths.dataset(settings.dataset)
    extractor, cache, executor = open_extractor(
        settings.extractor, build_image_extractor, paths.root
    )
    return embed_images(
        first_images(read_table(dataset.images, schemas.IMAGES), settings.max_per_item),
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
