"""embed_text: sentences or keyword sentences -> one vector each, by a frozen extractor."""

from __future__ import annotations

from mmrec import schemas
from mmrec.io import read_table
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.stage import Summary, entry, run


def main(params: Params, paths: Paths, key: str) -> Summary:
    """Embed the text of entry `key` of `embed.text`."""
    from mmrec.device import choose_device
    from mmrec.features.build import build_text_extractor
    from mmrec.features.run import embed_sentences

    settings = entry(params.embed.text, key, "embed.text")
    dataset = paths.dataset(settings.dataset)
    if settings.input == "keywords/keywords.parquet":
        sentences = read_table(dataset.keywords, schemas.KEYWORDS)
    else:
        sentences = read_table(dataset.sentences, schemas.SENTENCES)
    return embed_sentences(
        sentences,
        build_text_extractor(settings.extractor, device=str(choose_device())),
        dataset.features(settings.feature),
        precision=settings.precision,
    )


if __name__ == "__main__":
    run(main)
