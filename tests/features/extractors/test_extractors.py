"""What every extractor must do, and what each does beyond that."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any, get_args

import numpy as np
import pytest
import torch

from mmrec.features.contract import Extractor, Fingerprint, weights_digest
from mmrec.features.extractors import canonical_batches
from mmrec.features.extractors.build import build_image_extractor, build_text_extractor
from mmrec.features.extractors.hub import WeightsError
from mmrec.params.features import (
    ImageExtractorParams,
    OpenClipImageParams,
    OpenClipTextParams,
    SentenceTransformerParams,
    TextExtractorParams,
    TimmImageParams,
)
from tests.features import worlds

TEXT_PARAMS = get_args(get_args(TextExtractorParams)[0])
IMAGE_PARAMS = get_args(get_args(ImageExtractorParams)[0])
# Token states have tests of their own.
ALL_PARAMS = [kind for kind in (*TEXT_PARAMS, *IMAGE_PARAMS) if "Tokens" not in kind.__name__]


def _texts() -> list[str]:
    generator = random.Random(5)
    words = ["red", "blue", "green", "cotton", "shirt", "with", "the", "stripes", "1999", "été"]
    texts = [" ".join(generator.choices(words, k=k)) for k in (1, 2, 3, 5, 6, 7, 9, 14, 15, 21, 40)]
    return [*texts, *texts[::-3], "", "x" * 30, " ".join(words * 40)]


@pytest.fixture(scope="module", params=ALL_PARAMS, ids=lambda kind: kind.__name__)
def extractor(request: pytest.FixtureRequest) -> Extractor[Any]:
    folder = str(request.getfixturevalue("clip_folder"))
    if request.param is SentenceTransformerParams:
        return request.getfixturevalue("minilm")
    if request.param is OpenClipTextParams:
        return build_text_extractor(
            OpenClipTextParams(name="open_clip_text", model=folder, pretrained=None, normalize=True)
        )
    if request.param is TimmImageParams:
        return build_image_extractor(
            TimmImageParams(
                name="timm_image",
                model=str(request.getfixturevalue("timm_folder")),
                revision=None,
                checkpoint=None,
                preparation=None,
                normalize=True,
            )
        )
    assert request.param is OpenClipImageParams
    return build_image_extractor(
        OpenClipImageParams(name="open_clip_image", model=folder, pretrained=None, normalize=True)
    )


@pytest.fixture(scope="module")
def contents(extractor: Extractor[Any]) -> list[Any]:
    if extractor.fingerprint.extractor in {"open_clip_image", "timm_image"}:
        return [worlds.picture(seed, (32 + seed, 50 - seed)) for seed in range(19)]
    return _texts()


@pytest.fixture(scope="module")
def vectors(extractor: Extractor[Any], contents: list[Any]) -> np.ndarray:
    return extractor.encode(contents)


def test_every_extractor_of_the_params_is_under_contract() -> None:
    assert len(ALL_PARAMS) >= 4


def test_vectors_have_the_promised_shape_and_type(extractor, contents, vectors) -> None:
    assert vectors.shape == (len(contents), extractor.dim)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert extractor.level == "vector"


def test_different_contents_have_different_vectors(contents, vectors) -> None:
    distinct = len({repr(c) if isinstance(c, str) else c.tobytes() for c in contents})
    assert len(np.unique(vectors, axis=0)) == distinct


def test_no_contents_give_no_vectors(extractor) -> None:
    assert extractor.encode([]).shape == (0, extractor.dim)


def test_more_tokens_than_a_model_has_positions_for_are_refused_at_once(minilm_params) -> None:
    with pytest.raises(
        WeightsError,
        match="max_length is 600, but it reads at most 512 tokens; set max_length to 512 or less",
    ):
        build_text_extractor(minilm_params.model_copy(update={"max_length": 600}))


def test_order_of_contents_changes_no_bit(extractor, contents, vectors) -> None:
    order = np.random.default_rng(1).permutation(len(contents))
    assert np.array_equal(extractor.encode([contents[i] for i in order]), vectors[order])


def test_a_subset_has_the_same_bits(extractor, contents, vectors) -> None:
    assert np.array_equal(extractor.encode(contents[1::3]), vectors[1::3])


def test_a_single_content_has_the_same_bits(extractor, contents, vectors) -> None:
    for index in (0, 7, len(contents) - 1):
        assert np.array_equal(extractor.encode([contents[index]])[0], vectors[index])


def test_many_copies_have_the_same_bits(extractor, contents, vectors) -> None:
    copies = extractor.encode([contents[2]] * 150)
    assert (copies == vectors[2]).all()


def test_vectors_have_unit_length_where_promised(extractor, vectors) -> None:
    if extractor.fingerprint.normalize:
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_fingerprint_says_dimension_and_weights_but_no_folder(extractor, clip_folder) -> None:
    fingerprint = extractor.fingerprint
    assert fingerprint.dim == extractor.dim
    assert len(fingerprint.weights) == 64
    assert str(clip_folder.parent) not in fingerprint.to_json()
    assert not any(v in fingerprint.to_json() for v in extractor.libraries.values())


def test_contents_are_drawn_two_batches_ahead(clip) -> None:
    drawn = 0
    batches = []
    forward = clip.image._forward

    def counting(batch: torch.Tensor) -> Any:
        batches.append(drawn)
        return forward(batch)

    def stream() -> Any:
        nonlocal drawn
        for seed in range(90):
            drawn += 1
            yield worlds.picture(seed)

    clip.image._forward = counting
    try:
        clip.image.encode(stream())
    finally:
        clip.image._forward = forward
    assert batches == [48, 64, 80, 90, 90, 90]


def test_sentence_transformer_agrees_with_the_library(minilm) -> None:
    expected = minilm._model.encode(_texts(), batch_size=7, convert_to_numpy=True)
    assert np.abs(minilm.encode(_texts()) - expected).max() < 1e-5


def test_sentence_transformer_reads_no_further_than_max_length(minilm_params) -> None:
    short = build_text_extractor(minilm_params.model_copy(update={"max_length": 8}))
    one, two = short.encode(["red shirt of soft wool and more", "red shirt of soft wool and less"])
    assert np.array_equal(one, two)


def test_open_clip_towers_agree_with_the_library(clip, clip_folder) -> None:
    import open_clip

    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{clip_folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{clip_folder}")
    pictures = [worlds.picture(seed) for seed in range(5)]
    with torch.inference_mode():
        texts = model.eval().encode_text(tokenizer(_texts()), normalize=True).numpy()
        images = model.encode_image(torch.stack([*map(prepare, pictures)]), normalize=True).numpy()
    assert np.abs(clip.text.encode(_texts()) - texts).max() < 1e-5
    assert np.abs(clip.image.encode(pictures) - images).max() < 1e-5


def test_equal_weights_in_another_folder_have_the_same_fingerprint(clip, tmp_path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "elsewhere")
    other = build_image_extractor(
        OpenClipImageParams(
            name="open_clip_image", model=f"local-dir:{folder}", pretrained=None, normalize=True
        )
    )
    assert other.fingerprint == clip.image.fingerprint


@pytest.mark.parametrize("name", [field.name for field in fields(Fingerprint)])
def test_every_part_of_a_fingerprint_changes_its_digest(name: str) -> None:
    one = Fingerprint("e", 1, "m", "a", "w", "p", "pool", normalize=True, dim=3)
    value = getattr(one, name)
    changed = f"{value}x" if isinstance(value, str) else (not value if value is True else value + 1)
    assert replace(one, **{name: changed}).digest() != one.digest()


def test_weights_digest_sees_values_names_and_shapes_but_not_order() -> None:
    one, two = torch.arange(6.0), torch.ones(2)
    base = weights_digest([("a", one), ("b", two)])
    assert weights_digest([("b", two), ("a", one)]) == base
    assert weights_digest([("a", one.reshape(2, 3)), ("b", two)]) != base
    assert weights_digest([("a", one + 1e-3), ("b", two)]) != base
    assert weights_digest([("a", one), ("c", two)]) != base


def test_text_batches_hold_every_text_once_at_a_length_of_its_own() -> None:
    tokens = np.random.default_rng(0).integers(1, 101, 500)
    seen = []
    for rows, num_real, length in canonical_batches.text_batches(
        tokens, max_length=100, tokens_per_batch=512
    ):
        assert len(rows) == max(1, 512 // length)
        assert (rows[num_real:] == rows[num_real - 1]).all()
        # Either every row is padded or none is.
        assert (tokens[rows] < length).all() or (tokens[rows] == length).all()
        seen.extend(rows[:num_real])
    assert sorted(seen) == list(range(500))
