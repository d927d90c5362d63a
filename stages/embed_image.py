"""embed_image: pictures -> one vector each, by a frozen extractor."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the pictures of entry `key` of `embed.image`."""
    from mmrec.data.images import RawImages
    from mmrec.device import choose_device
    from mmrec.features.build import build_image_extractor
    from mmrec.features.run import embed_images

    settings = entry(params.embed.image, key, "embed.image")
    dataset = paths.dataset(settings.dataset)
    return embed_images(
        read_table(dataset.images, schemas.IMAGES),
        RawImages(dataset.raw_images),
        build_image_extractor(settings.extractor, device=str(choose_device())),
        dataset.features(settings.feature),
        precision=settings.precision,
    )


if __name__ == "__main__":
    run(main)
