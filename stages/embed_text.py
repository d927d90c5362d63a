"""embed_text: sentences or keyword sentences -> a vector or the token states of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run

if TYPE_CHECKING:
    from mmrec.features.extractor import TextExtractor, TextTokenExtractor
    from mmrec.params.features import TextExtractorParams


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the text of entry `key` of `embed.text`."""
    from mmrec.features.cache.place import open_cache
    from mmrec.features.inputs import joined_sentences
    from mmrec.features.lazy import remembered
    from mmrec.features.run import embed_sentences

    settings = entry(params.embed.text, key, "embed.text")
    dataset = paths.dataset(settings.dataset)
    cache = open_cache(paths.root)
    extractor = remembered(
        settings.extractor.model_dump(),
        lambda: _load(settings.extractor),
        cache.root / "fingerprints",
    )
    if settings.input == "keywords/keywords.parquet":
        sentences = read_table(dataset.keywords, schemas.KEYWORDS)
    else:
        sentences = read_table(dataset.sentences, schemas.SENTENCES)
    return embed_sentences(
        joined_sentences(sentences) if settings.per == "item" else sentences,
        extractor,
        dataset.features(settings.feature),
        precision=settings.precision,
        cache=cache,
    )


def _load(params: TextExtractorParams) -> TextExtractor | TextTokenExtractor:
    # Here, so that torch is not imported where everything is in the cache.
    from mmrec.device import choose_device
    from mmrec.features.build import build_text_extractor

    return build_text_extractor(params, device=str(choose_device()))


if __name__ == "__main__":
    run(main)
