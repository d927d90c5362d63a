"""embed_image: pictures -> a vector or the token states of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run

if TYPE_CHECKING:
    from mmrec.features.extractor import ImageExtractor, ImageTokenExtractor
    from mmrec.params.features import ImageExtractorParams


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the pictures of entry `key` of `embed.image`."""
    from mmrec.data.images import RawImages
    from mmrec.features.cache.place import open_cache
    from mmrec.features.inputs import first_images
    from mmrec.features.lazy import remembered
    from mmrec.features.run import embed_images

    settings = entry(params.embed.image, key, "embed.image")
    dataset = paths.dataset(settings.dataset)
    cache = open_cache(paths.root)
    extractor = remembered(
        settings.extractor.model_dump(),
        lambda: _load(settings.extractor),
        cache.root / "fingerprints",
    )
    return embed_images(
        first_images(read_table(dataset.images, schemas.IMAGES), settings.max_per_item),
        RawImages(dataset.raw_images),
        extractor,
        dataset.features(settings.feature),
        precision=settings.precision,
        cache=cache,
    )


def _load(params: ImageExtractorParams) -> ImageExtractor | ImageTokenExtractor:
    # Here, so that torch is not imported where everything is in the cache.
    from mmrec.device import choose_device
    from mmrec.features.build import build_image_extractor

    return build_image_extractor(params, device=str(choose_device()))


if __name__ == "__main__":
    run(main)
