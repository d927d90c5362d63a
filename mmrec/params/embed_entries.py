"""The name of a feature in, the entry of `embed` that writes it out."""

from __future__ import annotations

from typing import TypeAlias

from mmrec.params.features import (
    EmbedImageParams,
    EmbedPairParams,
    EmbedParams,
    EmbedTextParams,
)

EmbedEntry: TypeAlias = EmbedTextParams | EmbedImageParams | EmbedPairParams


def entry_of(embed: EmbedParams, dataset: str, feature: str) -> EmbedEntry | None:
    """The entry that writes a feature of a dataset; None of what no extractor writes."""
    entries: list[EmbedEntry] = [
        *embed.text.values(),
        *embed.image.values(),
        *embed.pair.values(),
    ]
    names = [(entry.dataset, entry.feature) for entry in entries]
    return entries[names.index((dataset, feature))] if (dataset, feature) in names else None
