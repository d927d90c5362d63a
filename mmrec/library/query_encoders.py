"""The entry of a feature in; what encodes words and pictures into the space of its vectors out.

d is the width of a vector.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from mmrec.device import choose_device
from mmrec.evaluation.lists import unit_rows
from mmrec.evaluation.vectors import Vectors
from mmrec.features.contract import Extractor, Fingerprint
from mmrec.io import DataError
from mmrec.library.queries import Query
from mmrec.params.embed_entries import EmbedEntry
from mmrec.params.features import (
    OpenClipImageParams,
    OpenClipTextParams,
    SentenceTransformerParams,
    TimmImageParams,
)

READ: Final[Mapping[str, tuple[str, ...]]] = {
    "open_clip_text": ("words", "pictures"),
    "open_clip_image": ("words", "pictures"),
    "sentence_transformer": ("words",),
    "timm_image": ("pictures",),
}
"""What is compared with the vectors of an extractor: those of open_clip have towers for both."""


class Encoders(NamedTuple):
    """Extractors whose vectors share a space."""

    own: Extractor[Any]
    """That of the feature."""
    by_kind: Mapping[str, Extractor[Any]]
    """Those of words and of pictures, where there are any."""

    def vector(self, query: Query) -> Vectors:
        """That of a query, [d], of length 1.

        Raises:
            DataError: it has none.
        """
        unit: Vectors = unit_rows(self.by_kind[query.kind].encode([query.content]))[0]
        if not np.isfinite(unit).all() or not unit.any():
            raise DataError(
                f"{query.name}: its vector is zero or not finite; look for something else"
            )
        return unit


def require_comparable(feature: str, entry: EmbedEntry | None, query: Query) -> EmbedEntry:
    """Refuse a query whose vector says nothing beside those of a feature.

    Raises:
        ValueError: says why, and what to take.
    """
    if entry is None:
        raise ValueError(
            f"feature '{feature}': no entry of `embed` writes it, so that no extractor says what a "
            "query is in it; take a feature of an extractor"
        )
    if entry.knockout is not None:
        raise ValueError(
            f"feature '{feature}' is knocked out: its vectors are not those of its items; take the "
            "whole one"
        )
    extractor = entry.extractor.name
    if extractor not in READ:
        raise ValueError(
            f"feature '{feature}' has states of tokens ({extractor}), expected one vector of each "
            "content to compare a query with; take a feature of another extractor"
        )
    if query.kind not in READ[extractor]:
        others = [name for name, kinds in READ.items() if query.kind in kinds]
        raise ValueError(
            f"feature '{feature}': its extractor ({extractor}) does not read {query.kind}; ask "
            f"with {READ[extractor][0]}, or take a feature of {' or '.join(others)}"
        )
    return entry


def open_encoders(entry: EmbedEntry, written_by: bytes, project: Path) -> Encoders:
    """Load what encodes queries; both towers of an open_clip model are of one checkpoint.

    Args:
        entry: of a feature of vectors.
        written_by: the fingerprint in its files, as JSON.
        project: the folder that paths in the settings are of.

    Raises:
        WeightsError: weights cannot be loaded.
        DataError: the files are of other settings or weights.
    """
    with chdir(project):
        encoders = _build(entry, str(choose_device()))
    now = encoders.own.fingerprint.kept_as(entry.precision)
    if now.to_json().encode() != written_by:
        raise DataError(
            f"feature '{entry.feature}' was encoded by another extractor than its entry of `embed` "
            f"names now (other: {', '.join(_differing(now, written_by))}); run `dvc repro` for it"
        )
    return encoders


def _build(entry: EmbedEntry, device: str) -> Encoders:
    params = entry.extractor
    match params:
        case OpenClipTextParams() | OpenClipImageParams():
            return _towers(params, device)
        case SentenceTransformerParams():
            from mmrec.features.extractors.build import build_text_extractor

            text = build_text_extractor(params, device=device)
            assert text.level == "vectors", "as of every sentence_transformer"
            return Encoders(text, {"words": text})
        case TimmImageParams():
            from mmrec.features.extractors.build import build_image_extractor

            image = build_image_extractor(params, device=device)
            assert image.level == "vectors", "as of every timm_image"
            return Encoders(image, {"pictures": image})
        case _:
            raise AssertionError(f"{params.name} has no vectors")


def _towers(params: OpenClipTextParams | OpenClipImageParams, device: str) -> Encoders:
    from mmrec.features.extractors.open_clip import OpenClipImageExtractor, OpenClipTextExtractor
    from mmrec.features.extractors.open_clip_model import load_open_clip

    model = load_open_clip(params.model, params.pretrained, device)
    image = OpenClipImageExtractor(model, normalize=params.normalize)
    text = OpenClipTextExtractor(model, normalize=params.normalize)
    own: Extractor[Any] = text if isinstance(params, OpenClipTextParams) else image
    return Encoders(own, {"words": text, "pictures": image})


def _differing(now: Fingerprint, written_by: bytes) -> list[str]:
    before = json.loads(written_by or b"{}")
    return [name for name, value in asdict(now).items() if before.get(name) != value]
