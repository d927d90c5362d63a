"""Token states of every architecture: what is promised of all, and the blocks above them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from mmrec.features.contract import TextImagePair, TokenStates
from mmrec.features.extractors.canonical_batches import BatchSizes
from tests.features import checkpoints, worlds
from tests.features.token_worlds import MAX_LENGTH, Case

TEXT = ["bert", "roberta", "xlm-roberta", "electra", "clip", "groupvit"]
IMAGE = ["clip", "vit_mae", "swin", "resnet", "groupvit", "flava"]
PAIR = ["clip", "groupvit", "vilt", "visual_bert", "flava"]
CASES = [*(("text", kind) for kind in TEXT), *(("image", kind) for kind in IMAGE)]
CASES += [("pair", kind) for kind in PAIR]
PADDING_TOLERANCE = 1e-5
"""What another padded length may change of a state of size 1; in practice it is fixed."""
BLOCKS_TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


@pytest.fixture(scope="module")
def extractor(case: Case, build) -> Any:
    return build(case)


def _texts() -> list[str]:
    generator = random.Random(5)
    lengths = (1, 2, 5, 6, 7, 9, 13, 14, 17, 18, 19, 40)
    texts = [" ".join(generator.choices(checkpoints.WORDS, k=k)) for k in lengths]
    return [*texts, *texts[::-4], "", "x" * 30, "Red SHIRT"]


def _contents(case: Case) -> list[Any]:
    pictures = [worlds.picture(seed, (40 + seed, 58 - seed)) for seed in range(18)]
    if case.input == "text":
        return _texts()
    if case.input == "image":
        return pictures
    return [TextImagePair(*pair) for pair in zip(_texts()[:18], pictures, strict=True)]


@pytest.fixture(scope="module")
def contents(case: Case) -> list[Any]:
    return _contents(case)


@pytest.fixture(scope="module")
def states(extractor, contents) -> TokenStates:
    return extractor.encode(contents)


def _same(found: TokenStates, expected: list[np.ndarray]) -> bool:
    """Equal to the last bits: threads may cut the products of a batch by place in it."""
    return len(found.lengths) == len(expected) and all(
        one.shape == other.shape
        and np.abs(one - other).max(initial=0) <= 2e-6 * max(1, np.abs(other).max(initial=0))
        for one, other in zip(found.split(), expected, strict=True)
    )


def test_states_have_the_promised_shape_and_type(extractor, contents, states) -> None:
    assert states.values.shape == (states.lengths.sum(), extractor.dim)
    assert states.values.dtype == np.float32
    assert states.lengths.shape == (len(contents),)
    assert np.isfinite(states.values).all()
    assert extractor.level == "tokens"
    assert extractor.fingerprint.dim == extractor.dim


def test_padding_is_not_among_the_tokens(case, extractor, contents, states) -> None:
    if case.input == "image":
        assert (states.lengths == extractor.num_tokens).all()
        return
    texts = contents if case.input == "text" else [pair.text for pair in contents]
    expected = [min(MAX_LENGTH, len(text.split()) + 2) for text in texts]
    in_front = extractor.num_image_tokens if case.input == "pair" else 0
    assert (states.lengths - in_front).tolist() == expected


def test_different_contents_have_different_states(case, contents, states) -> None:
    distinct = {repr(c).lower() if case.input == "text" else id(c) for c in contents}
    assert len({one.tobytes() for one in states.split()}) == len(distinct)


def test_no_contents_give_no_states(extractor) -> None:
    none = extractor.encode([])
    assert none.values.shape == (0, extractor.dim)
    assert none.split() == []


def test_states_are_the_same_whatever_their_neighbours(extractor, contents, states) -> None:
    whole = states.split()
    order = np.random.default_rng(1).permutation(len(contents))
    assert _same(extractor.encode([contents[i] for i in order]), [whole[i] for i in order])
    assert _same(extractor.encode(contents[1::3]), whole[1::3])
    for index in (0, 7, len(contents) - 1):
        assert _same(extractor.encode([contents[index]]), [whole[index]])
    assert _same(extractor.encode([contents[2]] * 70), [whole[2]] * 70)


def test_padding_and_batch_size_change_states_by_less_than_the_tolerance(
    case, extractor, contents, states, monkeypatch
) -> None:
    module = {
        "text": "transformer_text_tokens",
        "image": "transformer_image_tokens",
        "pair": "vision_language_tokens",
    }
    monkeypatch.setattr(
        f"mmrec.features.extractors.{module[case.input]}.batch_sizes", lambda _: BatchSizes(50, 3)
    )
    monkeypatch.setattr("mmrec.features.extractors.canonical_batches.PADDED_LENGTHS", (3, 17))
    found = extractor.encode(contents)
    assert np.array_equal(found.lengths, states.lengths)
    size = max(1.0, float(np.abs(states.values).max()))
    assert np.abs(found.values - states.values).max() < PADDING_TOLERANCE * size


def depth_of(case: Case) -> int:
    """Blocks that can be taken off; of a FLAVA two of its fusion and all three below."""
    depths = {"swin": 2, "resnet": 3, "groupvit": 2, "flava": 5}
    if case.input == "text":
        return 3
    return 3 if case == ("image", "flava") else depths.get(case.kind, 3)


def _padded(states: TokenStates, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(int(states.lengths.max())) < torch.from_numpy(states.lengths)[:, None]
    # What is behind the end must not matter.
    padded = torch.full((*mask.shape, dim), 7.0)
    padded[mask] = torch.from_numpy(states.values)
    return padded, mask


@pytest.fixture(scope="module", params=["one", "all"])
def below(request: pytest.FixtureRequest, case: Case, build) -> Any:
    return build(case, below_last=1 if request.param == "one" else depth_of(case))


def test_last_blocks_over_cached_states_equal_the_full_model(
    below, case, contents, states, extractor
) -> None:
    cached = below.encode(contents)
    padded, mask = _padded(cached, below.dim)
    with torch.inference_mode():
        final = below.last_blocks.eval()(padded, None if case.input == "image" else mask)
    assert final.shape[2] == extractor.dim
    for row, expected in enumerate(states.split()):
        found = final[row, : len(expected)].numpy()
        assert np.abs(found - expected).max() < BLOCKS_TOLERANCE * max(1, np.abs(expected).max())


def test_states_below_blocks_have_another_fingerprint_and_fewer_weights(below, extractor) -> None:
    assert below.fingerprint.pooling != extractor.fingerprint.pooling
    assert below.fingerprint.weights != extractor.fingerprint.weights
    assert below.fingerprint.architecture == extractor.fingerprint.architecture
    assert any(True for _ in below.last_blocks.parameters())


def test_last_blocks_can_be_trained(below, contents) -> None:
    padded, mask = _padded(below.encode(contents[:3]), below.dim)
    blocks = below.last_blocks.train().requires_grad_(requires_grad=True)
    try:
        blocks(padded, None if (mask.all()) else mask).square().mean().backward()
        gradients = [p.grad for p in blocks.parameters() if p.grad is not None]
        assert gradients
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
    finally:
        blocks.eval().zero_grad()


def test_fingerprint_has_no_folder_no_version_and_no_batch_size(
    case, extractor, build, tmp_path, monkeypatch
) -> None:
    module = {
        "text": "transformer_text_tokens",
        "image": "transformer_image_tokens",
        "pair": "vision_language_tokens",
    }
    monkeypatch.setattr(
        f"mmrec.features.extractors.{module[case.input]}.batch_sizes", lambda _: BatchSizes(64, 2)
    )
    again = checkpoints.write_checkpoint(case.kind, tmp_path / "elsewhere")
    assert build(case, model=again).fingerprint == extractor.fingerprint
    text = extractor.fingerprint.to_json()
    assert "weights0" not in text
    assert not any(version in text for version in extractor.libraries.values())


def test_changed_weights_change_the_fingerprint(case, extractor, build, tmp_path) -> None:
    other = build(case, model=checkpoints.write_checkpoint(case.kind, tmp_path / "o", seed=1))
    assert other.fingerprint.weights != extractor.fingerprint.weights
    assert other.fingerprint.architecture == extractor.fingerprint.architecture
    assert other.fingerprint.preprocessing == extractor.fingerprint.preprocessing


def test_changed_preprocessing_changes_the_fingerprint(case, extractor, build) -> None:
    if case.input == "image":
        side = 64 if case.kind in {"swin", "resnet"} else checkpoints.SIDE
        half = (0.5, 0.4, 0.5)
        square = {
            "side": side,
            "fit": "squash",
            "interpolation": "bilinear",
            "mean": half,
            "std": half,
        }
        other = build(case, preparation=square)
    else:
        other = build(case, max_length=MAX_LENGTH - 1)
        assert build(case, lowercase=False).fingerprint != extractor.fingerprint
    assert other.fingerprint.preprocessing != extractor.fingerprint.preprocessing
    assert other.fingerprint.weights == extractor.fingerprint.weights
