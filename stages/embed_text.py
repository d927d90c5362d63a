"""embed_text: sentences or keyword sentences -> a vector or the token states of each."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the text of entry `key` of `embed.text`."""
    from mmrec.features.encode.embed import embed_sentences
    from mmrec.features.encode.inputs import joined_sentences
    from mmrec.features.encode.opening import open_extractor
    from mmrec.features.extractors.build import build_text_extractor

    settings = entry(params.embed.text, key, "embed.text")
    dataset = paths.dataset(settings.dataset)
    extractor, cache, executor = open_extractor(
        settings.extractor, build_text_extractor, paths.root
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
        executor=executor,
        knockout=settings.knockout,
    )


if __name__ == "__main__":
    run(main)
