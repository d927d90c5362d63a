"""Every class of extractor params, with a small extractor of it and contents to encode."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import pytest

from mmrec.features.contract import TextImagePair
from mmrec.features.extractors.build import (
    build_image_extractor,
    build_pair_tokens,
    build_text_extractor,
)
from mmrec.params.features import (
    EmbedParams,
    OpenClipImageParams,
    OpenClipTextParams,
    SentenceTransformerParams,
    TimmImageParams,
    TransformerImageTokensParams,
    TransformerTextTokensParams,
    VisionLanguageTokensParams,
)
from mmrec.params.section import Section
from tests.features import worlds
from tests.features.token_worlds import image_params, pair_params, text_params

BUILDERS: Final[dict[str, Callable[..., Any]]] = {
    "text": build_text_extractor,
    "image": build_image_extractor,
    "pair": build_pair_tokens,
}


def extractor_classes() -> dict[type[Section], str]:
    """All classes that an entry of `embed:` can have as its extractor, with their kind of input."""
    found: dict[type[Section], str] = {}
    for kind, group in EmbedParams.model_fields.items():
        _, entry = get_args(group.annotation)
        union = entry.model_fields["extractor"].annotation
        found |= dict.fromkeys(get_args(union) or (union,), kind)
    return found


def texts() -> list[str]:
    generator = random.Random(5)
    words = ["red", "blue", "green", "cotton", "shirt", "with", "the", "stripes", "1999", "été"]
    lengths = (1, 2, 3, 5, 6, 7, 9, 14, 15, 21, 40)
    found = [" ".join(generator.choices(words, k=k)) for k in lengths]
    return [*found, *found[::-3], "", "x" * 30, " ".join(words * 40)]


def pictures() -> list[Any]:
    return [worlds.picture(seed, (32 + seed, 50 - seed)) for seed in range(19)]


def pairs() -> list[TextImagePair]:
    return [TextImagePair(*pair) for pair in zip(texts(), pictures(), strict=False)]


CONTENTS: Final[dict[str, Callable[[], list[Any]]]] = {
    "text": texts,
    "image": pictures,
    "pair": pairs,
}


class Row(NamedTuple):
    """How a test gets at an extractor of a class."""

    weights: str
    """The fixture that gives the folder of its tiny weights, or gives folders by kind."""
    params: Callable[[Any], Section]
    """From that to params."""


def _clip_text(folder: Path) -> Section:
    return OpenClipTextParams(
        name="open_clip_text", model=str(folder), pretrained=None, normalize=True
    )


def _clip_image(folder: Path) -> Section:
    return OpenClipImageParams(
        name="open_clip_image", model=str(folder), pretrained=None, normalize=True
    )


def _timm(folder: Path) -> Section:
    return TimmImageParams(
        name="timm_image",
        model=str(folder),
        revision=None,
        checkpoint=None,
        preparation=None,
        normalize=True,
    )


def _visual_bert(folder_of: Callable[[str], Path]) -> Section:
    return pair_params(
        folder_of("visual_bert"),
        tokenizer=str(folder_of("tokenizer")),
        visual=image_params(folder_of("resnet")),
    )


ROWS: Final[dict[type[Section], Row]] = {
    SentenceTransformerParams: Row("minilm_params", lambda params: params),
    OpenClipTextParams: Row("clip_folder", _clip_text),
    TransformerTextTokensParams: Row("folder_of", lambda of: text_params(of("bert"))),
    OpenClipImageParams: Row("clip_folder", _clip_image),
    TimmImageParams: Row("timm_folder", _timm),
    TransformerImageTokensParams: Row("folder_of", lambda of: image_params(of("vit_mae"))),
    VisionLanguageTokensParams: Row("folder_of", _visual_bert),
}


def row_params(kind: type[Section], request: pytest.FixtureRequest) -> Section:
    """Params of the row of a class; a class without one fails the test."""
    if kind not in ROWS:
        pytest.fail(f"{kind.__name__}: an extractor without a row in {__file__}; add one")
    row = ROWS[kind]
    return row.params(request.getfixturevalue(row.weights))


def build_row(params: Section) -> Any:
    return BUILDERS[extractor_classes()[type(params)]](params)
