"""Pictures masked as a masked autoencoder sees them: which patches, and their states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.kept_blocks import build_last_blocks
from mmrec.features.extractors.last_blocks import attention_bias
from mmrec.features.extractors.patch_masking import PatchMasking, num_patches
from tests.features import worlds
from tests.features.token_worlds import Case, embed_case, image_params

KINDS = ["vit_mae", "clip"]
PICTURES = [worlds.picture(seed, (44, 40)) for seed in range(20)]
MASKING = {"share": 0.75, "seed": 0}


def _pixels(extractor: Any) -> torch.Tensor:
    return torch.stack([extractor.preparation.apply(picture) for picture in PICTURES])


def _visible(extractor: Any, masking: dict[str, Any] = MASKING) -> torch.Tensor:
    count = num_patches(extractor.encoder.encoder)
    return PatchMasking(**masking).visible(_pixels(extractor), count)


def _all_at_once(kind: str, extractor: Any, visible: torch.Tensor) -> torch.Tensor:
    """Final states of all patches, of which none reads a hidden one."""
    encoder, pixels = extractor.encoder.encoder, _pixels(extractor)
    if kind == "clip":
        states = encoder.pre_layrnorm(encoder.embeddings(pixels))
        layers, norm = encoder.encoder.layers, torch.nn.Identity()
    else:
        parts = encoder.embeddings
        first = parts.cls_token.expand(len(pixels), -1, -1)
        states = torch.cat([first, parts.patch_embeddings(pixels)], 1) + parts.position_embeddings
        layers, norm = encoder.layers, encoder.layernorm
    read = torch.zeros(states.shape[:2], dtype=torch.bool)
    read[:, 0] = True
    read = read.scatter(1, visible + 1, value=True)
    bias = attention_bias(states, read, causal=False)
    for layer in layers:
        found = layer(states, bias)
        states = found[0] if isinstance(found, tuple) else found
    return norm(states)


@pytest.mark.parametrize("share", [0.5, 0.75])
@pytest.mark.parametrize("kind", KINDS)
def test_masked_states_are_those_of_a_model_that_reads_no_hidden_patch(kind, share, build) -> None:
    masking = {"share": share, "seed": 3}
    extractor = build(Case("image", kind), masking=masking)
    visible = _visible(extractor, masking)
    with torch.inference_mode():
        whole = _all_at_once(kind, extractor, visible)
    found = extractor.encode(PICTURES).split()
    for row, states in enumerate(found):
        places = [0, *(visible[row] + 1).tolist()]
        assert states == pytest.approx(whole[row, places].numpy(), abs=1e-5, rel=1e-5)
    assert extractor.num_tokens == 1 + round(16 * (1 - share))
    unmasked = build(Case("image", kind)).encode(PICTURES[:1]).split()[0]
    assert not np.allclose(found[0][0], unmasked[0], atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_states_depend_on_the_picture_alone_and_are_the_same_in_every_run(kind, build) -> None:
    first, second = (build(Case("image", kind), masking=MASKING) for _ in range(2))
    torch.manual_seed(1)
    states = first.encode(PICTURES)
    torch.manual_seed(2)
    assert np.array_equal(second.encode(PICTURES).values, states.values)
    alone = [first.encode([picture]).values for picture in PICTURES]
    backwards = first.encode(PICTURES[::-1]).split()[::-1]
    for expected, one, other in zip(states.split(), alone, backwards, strict=True):
        # Threads may cut the products of a batch by place in it.
        assert one == pytest.approx(expected, abs=2e-6, rel=2e-6)
        assert other == pytest.approx(expected, abs=2e-6, rel=2e-6)


def test_visible_patches_are_drawn_for_each_picture_and_ascend() -> None:
    pixels = torch.randn(400, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    visible = PatchMasking(0.75, 0).visible(pixels, 16)
    assert visible.shape == (400, 4)
    assert (visible.diff(dim=1) > 0).all()
    # A quarter of the pictures shows each place: 100, with a deviation of 9.
    counts = visible.flatten().bincount(minlength=16)
    assert counts.min() > 55
    assert counts.max() < 145
    assert len(visible.unique(dim=0)) > 300
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2))
    assert torch.equal(PatchMasking(0.75, 0).visible(pixels[order], 16), visible[order])
    assert not torch.equal(PatchMasking(0.75, 1).visible(pixels, 16), visible)
    # More of the same draw is seen when less is hidden.
    more = PatchMasking(0.5, 0).visible(pixels, 16)
    assert all(
        set(few.tolist()) < set(many.tolist()) for few, many in zip(visible, more, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_over_masked_states_give_the_final_ones(kind, build, tmp_path: Path) -> None:
    case = Case("image", kind)
    final = build(case, masking=MASKING)
    below = build(case, masking=MASKING, below_last=2)
    cached = below.encode(PICTURES)
    assert cached.lengths.tolist() == [5] * len(PICTURES)
    states = torch.from_numpy(cached.values).unflatten(0, (-1, 5))
    expected = np.stack(final.encode(PICTURES).split())
    blocks = build_last_blocks(embed_case(below, case, tmp_path / "f"))
    with torch.inference_mode():
        assert blocks.eval()(states).numpy() == pytest.approx(expected, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_special_tokens_only_visible_patches_are_left(kind, build) -> None:
    whole = build(Case("image", kind), masking=MASKING).encode(PICTURES).split()
    bare = build(Case("image", kind), masking=MASKING, special_tokens=False).encode(PICTURES)
    assert all(np.array_equal(b, w[1:]) for b, w in zip(bare.split(), whole, strict=True))


def test_masking_is_in_the_fingerprint_and_its_absence_is_not(build) -> None:
    case = Case("image", "vit_mae")
    unmasked = build(case).fingerprint
    assert unmasked.pooling == '{"below_last":0,"special_tokens":true}'
    assert build(case, below_last=2).fingerprint.pooling == (
        '{"below_last":2,"special_tokens":true}'
    )
    masked = build(case, masking=MASKING).fingerprint
    assert masked.pooling == (
        '{"below_last":0,"masking":{"seed":0,"share":0.75},"special_tokens":true}'
    )
    assert masked.architecture == unmasked.architecture
    assert masked.weights == unmasked.weights
    others = [build(case, masking=MASKING | change).fingerprint for change in CHANGES]
    assert len({one.digest() for one in [unmasked, masked, *others]}) == 4


CHANGES: list[dict[str, Any]] = [{"share": 0.5}, {"seed": 1}]


def test_a_visual_bert_may_read_visible_patches_alone(build, folder_of) -> None:
    case = Case("pair", "visual_bert")
    masked, whole = (
        build(case, visual=image_params(folder_of("clip"), masking=masking))
        for masking in (MASKING, None)
    )
    assert (masked.num_image_tokens, whole.num_image_tokens) == (5, 17)
    assert masked.fingerprint.pooling != whole.fingerprint.pooling


@pytest.mark.parametrize("kind", ["swin", "resnet", "groupvit", "flava"])
def test_only_what_reads_patches_one_by_one_can_be_masked(kind, build) -> None:
    with pytest.raises(WeightsError, match=r"cannot be masked.*set masking to null"):
        build(Case("image", kind), masking=MASKING)


def test_at_least_one_patch_is_left(build) -> None:
    with pytest.raises(WeightsError, match=r"share of 0.99 of 16 patches.*lower masking.share"):
        build(Case("image", "clip"), masking={"share": 0.99, "seed": 0})
    for share in (0, 1, -0.5):
        with pytest.raises(ValidationError, match=r"masking\.share"):
            image_params("folder", masking={"share": share, "seed": 0})
