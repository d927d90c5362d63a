"""Models inside installed packages: the same states as from their folders, and no folder's name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmrec.features.contract import TextExtractor
from mmrec.features.extractors.build import build_text_tokens
from mmrec.features.extractors.lazy import LazyTokenExtractor, remembered
from mmrec.params.features import SentenceTransformerParams
from tests.features import checkpoints
from tests.features.token_worlds import Case, text_params

TEXTS = ["A red cotton shirt with stripes", "", "blue", "the green one and the blue one " * 4]
WEIGHTS_PACKAGE = "weights_for_a_test"


@pytest.fixture
def package_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[str, Path]]:
    """Makes a package that ships a tiny checkpoint: what names it, and its folder."""

    def make(kind: str) -> tuple[str, Path]:
        root = tmp_path / "site" / WEIGHTS_PACKAGE
        checkpoints.write_checkpoint(kind, root / "model")
        (root / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        monkeypatch.delitem(sys.modules, WEIGHTS_PACKAGE, raising=False)
        return f"package:{WEIGHTS_PACKAGE}", root / "model"

    return make


@pytest.mark.parametrize(
    "case",
    [Case("text", "bert"), Case("image", "vit_mae"), Case("image", "clip"), Case("pair", "clip")],
    ids="-".join,
)
def test_a_package_gives_what_its_folder_gives(
    case: Case, build: Callable[..., Any], package_of: Callable[[str], tuple[str, Path]]
) -> None:
    package, folder = package_of(case.kind)
    found, expected = build(case, model=package), build(case, model=folder)
    assert found.fingerprint.model == package
    assert expected.fingerprint.model == "folder"
    assert found.fingerprint.weights == expected.fingerprint.weights
    assert found.fingerprint.architecture == expected.fingerprint.architecture
    assert found.fingerprint.preprocessing == expected.fingerprint.preprocessing
    assert str(folder) not in found.fingerprint.to_json()
    assert found.blocks_plan == expected.blocks_plan


def test_a_tokenizer_may_lie_in_a_package(
    build: Callable[..., Any], package_of: Callable[[str], tuple[str, Path]]
) -> None:
    package, _ = package_of("bert")
    case = Case("pair", "visual_bert")
    assert build(case, tokenizer=package).fingerprint == build(case).fingerprint


def test_a_packaged_model_is_remembered(
    tmp_path: Path, package_of: Callable[[str], tuple[str, Path]]
) -> None:
    package, folder = package_of("bert")
    params = text_params(package)

    def again() -> Any:
        return remembered(params, lambda: build_text_tokens(params), tmp_path / "memory")

    first, second = again(), again()
    assert isinstance(second, LazyTokenExtractor)
    assert second.fingerprint == first.fingerprint
    checkpoints.write_checkpoint("bert", folder, seed=1)
    assert again().fingerprint.weights != first.fingerprint.weights


def test_last_blocks_of_the_packaged_minilm_give_its_final_states(
    minilm_params: SentenceTransformerParams, minilm: TextExtractor
) -> None:
    final, below = (
        build_text_tokens(text_params(minilm_params.model, max_length=24, below_last=k))
        for k in (0, 2)
    )
    assert len(below.last_blocks.blocks) == 2
    expected = final.encode(TEXTS)
    cached = below.encode(TEXTS)
    assert cached.lengths.tolist() == expected.lengths.tolist()
    mask = torch.arange(int(cached.lengths.max())) < torch.from_numpy(cached.lengths)[:, None]
    states = torch.zeros(*mask.shape, below.dim)
    states[mask] = torch.from_numpy(cached.values)
    with torch.inference_mode():
        found = below.last_blocks.eval()(states, mask)[mask].numpy()
    assert np.abs(found - expected.values).max() < 1e-5
    # Their mean is the vector that the package is made for.
    means = np.stack([one.mean(0) for one in expected.split()])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    vectors = minilm.encode(TEXTS[:3])
    assert np.abs(means[:3] - vectors).max() < 1e-5
