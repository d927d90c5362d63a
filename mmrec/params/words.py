"""The words of items in the slots of runs: where they can be named, and where they must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from mmrec.params.features import BAG_OF_WORDS
from mmrec.params.pipeline import Params, PretrainingParams, RunParams

NOT_EXTRACTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none": "the name of no feature",
        BAG_OF_WORDS: "the words of items, which clean writes of every dataset",
    }
)
"""Names in slots that no entry of `embed` writes, and why none may."""


def wrong_words(
    params: Params, where: str, trained: PretrainingParams | RunParams
) -> Iterator[str]:
    """Words for a model of vectors, vectors for one of words, or words of a dataset without."""
    model, dataset = params.models.get(trained.model), params.datasets.get(trained.dataset)
    if model is None:
        return
    found = f"{where}.text: found '{trained.text}'"
    reader = f"model '{trained.model}' ({model.name}) reads"
    if model.reads_words != (trained.text == BAG_OF_WORDS):
        if model.reads_words:
            yield f"{found}, but {reader} the words of items; name {BAG_OF_WORDS}"
        else:
            yield (
                f"{found}, but {reader} {' or '.join(model.levels)}; name a feature of an extractor"
            )
    elif model.reads_words and dataset and not dataset.clean.text_fields:
        yield (
            f"{found}, but datasets.{trained.dataset}.clean.text_fields is [], so that no item has "
            "words; name fields, or take this run out"
        )
