"""clean: raw tables -> items, users, sequences, sentences, their words, and valid pictures."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_json, read_table
from mmrec.params.features import BAG_OF_WORDS
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Clean dataset `key`."""
    from mmrec.data.clean import clean, write_clean
    from mmrec.data.images import RawImages
    from mmrec.data.verdicts import Verdicts
    from mmrec.data.words import bags_of_words, write_bags_of_words
    from mmrec.features.empty import write_empty_feature

    settings, dataset = entry(params.datasets, key, "datasets").clean, paths.dataset(key)
    raw = read_json(dataset.raw_summary, schemas.RawSummary)
    result = clean(
        read_table(dataset.raw_items, schemas.RAW_ITEMS),
        read_table(dataset.raw_interactions, schemas.RAW_INTERACTIONS),
        read_table(dataset.image_links, schemas.IMAGE_LINKS),
        RawImages(dataset.raw_images),
        settings,
        skipped=raw["skipped"],
        has_users=raw["has_users"],
        verdicts=Verdicts(paths.verdicts),
    )
    write_clean(result, dataset)
    write_empty_feature(dataset.features("none"))
    write_bags_of_words(bags_of_words(result.sentences), dataset.features(BAG_OF_WORDS))
    return {
        "items": result.items.num_rows,
        "users": result.users.num_rows,
        "sentences": result.sentences.num_rows,
        "images": result.images.num_rows,
    }


if __name__ == "__main__":
    run(main)
