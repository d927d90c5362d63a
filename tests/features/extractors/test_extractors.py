"""What every extractor must do, and what each does beyond that."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch

from mmrec.features.contract import Fingerprint, weights_digest
from mmrec.features.extractors import canonical_batches
from mmrec.features.extractors.build import build_image_extractor, build_text_extractor
from mmrec.features.extractors.hub import WeightsError
from mmrec.params.features import OpenClipImageParams
from mmrec.params.section import Section
from tests.features import worlds
from tests.features.extractor_rows import (
    CONTENTS,
    ROWS,
    build_row,
    extractor_classes,
    row_params,
    texts,
)

LAST_BITS = 2e-6
"""How far states may be off: threads may cut the products of a batch by place in it."""


@pytest.fixture(scope="module", params=extractor_classes(), ids=lambda kind: kind.__name__)
def params(request: pytest.FixtureRequest) -> Section:
    return row_params(request.param, request)


@pytest.fixture(scope="module")
def extractor(params: Section) -> Any:
    return build_row(params)


@pytest.fixture(scope="module")
def contents(params: Section) -> list[Any]:
    return CONTENTS[extractor_classes()[type(params)]]()


@pytest.fixture(scope="module")
def results(extractor: Any, contents: list[Any]) -> list[np.ndarray]:
    return encoded(extractor, contents)


def encoded(extractor: Any, contents: list[Any]) -> list[np.ndarray]:
    """The vector of each content, or the states [P, d] of its tokens."""
    found = extractor.encode(contents)
    return list(found) if extractor.level == "vectors" else found.split()


def same(extractor: Any, found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    """Equal vectors bit by bit, and states to their last bits."""
    if len(found) != len(expected):
        return False
    pairs = list(zip(found, expected, strict=True))
    if extractor.level == "vectors":
        return all(np.array_equal(one, other) for one, other in pairs)
    return all(
        one.shape == other.shape
        and np.abs(one - other).max(initial=0) <= LAST_BITS * max(1, np.abs(other).max(initial=0))
        for one, other in pairs
    )


def test_every_extractor_of_the_params_has_a_row_and_every_row_one() -> None:
    assert set(ROWS) == set(extractor_classes())


def test_a_class_without_a_row_fails(request: pytest.FixtureRequest) -> None:
    class NewTokensParams(Section):
        pass

    with pytest.raises(pytest.fail.Exception, match="NewTokensParams: an extractor without a row"):
        row_params(NewTokensParams, request)


def test_results_have_the_promised_level_shape_and_type(extractor, contents, results) -> None:
    assert extractor.level in {"vectors", "tokens"}
    assert len(results) == len(contents)
    for one in results:
        assert one.ndim == (1 if extractor.level == "vectors" else 2)
        assert one.shape[-1] == extractor.dim
        assert one.dtype == np.float32
        assert np.isfinite(one).all()


def test_different_contents_have_different_results(extractor, contents, results) -> None:
    def known_by(content: Any) -> Any:
        if isinstance(content, tuple):
            return tuple(map(known_by, content))
        return content.lower() if isinstance(content, str) else content.tobytes()

    distinct = len(set(map(known_by, contents)))
    assert len({one.tobytes() for one in results}) == distinct


def test_no_contents_give_no_results(extractor) -> None:
    assert encoded(extractor, []) == []


def test_company_and_order_change_no_result(extractor, contents, results) -> None:
    order = np.random.default_rng(1).permutation(len(contents))
    shuffled = encoded(extractor, [contents[i] for i in order])
    assert same(extractor, shuffled, [results[i] for i in order])
    assert same(extractor, encoded(extractor, contents[1::3]), results[1::3])
    for index in (0, 7, len(contents) - 1):
        assert same(extractor, encoded(extractor, [contents[index]]), [results[index]])
    copies = encoded(extractor, [contents[2]] * 150)
    assert same(extractor, copies, [results[2]] * 150)


def test_vectors_have_unit_length_where_promised(extractor, results) -> None:
    if extractor.fingerprint.normalize:
        assert np.linalg.norm(results, axis=1) == pytest.approx(1, abs=1e-5)


def test_fingerprint_says_dimension_and_weights_but_no_folder(
    extractor, params, tmp_path_factory
) -> None:
    fingerprint = extractor.fingerprint
    assert fingerprint.dim == extractor.dim
    assert fingerprint.extractor == params.name
    assert len(fingerprint.weights) == 64
    assert str(tmp_path_factory.getbasetemp()) not in fingerprint.to_json()
    assert not any(v in fingerprint.to_json() for v in extractor.libraries.values())


def test_more_tokens_than_a_model_has_positions_for_are_refused_at_once(minilm_params) -> None:
    with pytest.raises(
        WeightsError,
        match="max_length is 600, but it reads at most 512 tokens; set max_length to 512 or less",
    ):
        build_text_extractor(minilm_params.model_copy(update={"max_length": 600}))


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
    expected = minilm._model.encode(texts(), batch_size=7, convert_to_numpy=True)
    assert np.abs(minilm.encode(texts()) - expected).max() < 1e-5


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
        expected = model.eval().encode_text(tokenizer(texts()), normalize=True).numpy()
        images = model.encode_image(torch.stack([*map(prepare, pictures)]), normalize=True).numpy()
    assert np.abs(clip.text.encode(texts()) - expected).max() < 1e-5
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
