"""keywords: pictures -> the words of a dictionary that CLIP finds nearest to each."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table, write_json, write_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Give every picture of dataset `key` its keywords."""
    from mmrec.data.images import RawImages
    from mmrec.device import choose_device
    from mmrec.features.cache.place import open_cache
    from mmrec.features.keywords.build import make_keywords

    settings, dataset = entry(params.datasets, key, "datasets").keywords, paths.dataset(key)
    keywords = make_keywords(
        settings,
        images=read_table(dataset.images, schemas.IMAGES),
        sentences=read_table(dataset.sentences, schemas.SENTENCES),
        raw_images=RawImages(dataset.raw_images),
        device=str(choose_device()),
        cache=open_cache(paths.root),
    )
    write_table(keywords.table, dataset.keywords, schemas.KEYWORDS)
    write_json(keywords.summary, dataset.keywords_summary)
    write_json({"stores": keywords.stores}, dataset.keywords_stores)
    encoded = keywords.vectors.num_encoded if keywords.vectors else 0
    return {**keywords.summary, "encoded": encoded}


if __name__ == "__main__":
    run(main)
