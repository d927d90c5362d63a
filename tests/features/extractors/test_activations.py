"""Published open_clip weights meet the activation they were made with, or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmrec.features.extractors.build import build_image_extractor
from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.open_clip_model import check_activation
from mmrec.params.features import OpenClipImageParams
from mmrec.torchvision_schemas import define_missing_operators
from tests.features import worlds

define_missing_operators()
import open_clip  # noqa: E402

PAIRS = open_clip.list_pretrained()


def refused(model: str, pretrained: str) -> str | None:
    try:
        check_activation(model, pretrained)
    except WeightsError as error:
        return str(error)
    return None


def quick(model: str) -> bool:
    return bool(open_clip.get_model_config(model).get("quick_gelu", False))


def test_every_pair_that_is_not_refused_computes_with_the_activation_of_its_weights() -> None:
    assert len(PAIRS) >= 190
    unlike = {
        (model, tag)
        for model, tag in PAIRS
        if bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu")) != quick(model)
    }
    kept = {pair for pair in unlike if refused(*pair) is None}
    # Its configuration was written for these weights alone; their entry in the list says nothing.
    assert kept == {("roberta-ViT-B-32", "laion2b_s12b_b32k")}
    assert len(unlike - kept) >= 27
    assert {pair for pair in PAIRS if refused(*pair)} == unlike - kept


def test_what_is_refused_names_a_model_that_has_the_weights_and_their_activation() -> None:
    for model, tag in PAIRS:
        if message := refused(model, tag):
            named = message.rpartition("set model to ")[2]
            assert (named, tag) in PAIRS
            assert refused(named, tag) is None
            assert quick(named)


def test_a_weights_file_that_kept_its_published_name_is_known_by_it(tmp_path: Path) -> None:
    path = tmp_path / "vit_b_32-quickgelu-laion400m_e32-46683a32.pt"
    path.touch()
    assert "set model to ViT-B-32-quickgelu" in (refused("ViT-B-32", str(path)) or "")
    assert refused("ViT-B-32-quickgelu", str(path)) is None
    assert refused("ViT-B-32", str(tmp_path / "of_ones_own.pt")) is None


def test_no_extractor_is_built_of_weights_for_another_activation() -> None:
    params = OpenClipImageParams(
        name="open_clip_image", model="ViT-B-32", pretrained="openai", normalize=True
    )
    with pytest.raises(WeightsError, match="set model to ViT-B-32-quickgelu"):
        build_image_extractor(params)


def test_fingerprints_tell_activations_apart(clip, tmp_path: Path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    config = {"model_cfg": {**worlds.CLIP_CONFIG, "quick_gelu": True}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    params = OpenClipImageParams(
        name="open_clip_image", model=str(folder), pretrained=None, normalize=True
    )
    other = build_image_extractor(params)
    assert other.fingerprint.weights == clip.image.fingerprint.weights
    assert other.fingerprint.architecture != clip.image.fingerprint.architecture
    pictures = [worlds.picture(seed) for seed in range(2)]
    assert (other.encode(pictures) != clip.image.encode(pictures)).any()
