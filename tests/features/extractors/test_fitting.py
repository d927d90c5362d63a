"""Weights, pictures and tokenizers of another size than a model's are refused, never stretched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from mmrec.features.extractors.build import (
    build_image_extractor,
    build_image_tokens,
    build_text_tokens,
)
from mmrec.features.extractors.hub import WeightsError
from mmrec.params.features import ImagePreparationParams, TimmImageParams
from mmrec.torchvision_schemas import define_missing_operators
from tests.features import checkpoints, worlds
from tests.features.loading_worlds import (
    build_clip_text,
    build_sentence,
    change_json,
    sentence_folder,
)
from tests.features.token_worlds import image_params, text_params


@pytest.mark.parametrize(
    ("part", "setting", "value", "said"),
    [
        ("vision_cfg", "image_size", 64, r"visual\.positional_embedding .* 17 × 32, .* 65 × 32"),
        ("text_cfg", "context_length", 40, r"text\.positional_embedding .* 20 × 16, .* 40 × 16"),
        ("text_cfg", "context_length", 10, r"text\.positional_embedding .* 20 × 16, .* 10 × 16"),
    ],
)
def test_clip_weights_of_other_sizes_than_their_configuration_are_refused(
    part: str, setting: str, value: int, said: str, tmp_path: Path
) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    change_json(
        folder / "open_clip_config.json",
        lambda config: config["model_cfg"][part].update({setting: value}),
    )
    with pytest.raises(WeightsError, match=said):
        build_clip_text(folder)


def vit_folder(folder: Path, **arguments: int) -> Path:
    worlds.write_tiny_timm(folder, "test_vit")
    settings = {"classifier": "head", "first_conv": "patch_embed.proj", "input_size": [3, 160, 160]}

    def describe(config: dict[str, Any]) -> None:
        config["pretrained_cfg"].update(settings)
        config["model_args"] = {"img_size": 160, **arguments}

    change_json(folder / "config.json", describe)
    return folder


def build_timm(folder: Path, preparation: ImagePreparationParams | None = None) -> Any:
    return build_image_extractor(
        TimmImageParams(
            name="timm_image",
            model=str(folder),
            revision=None,
            checkpoint=None,
            preparation=preparation,
            normalize=True,
        )
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"img_size": 64}, r"pos_embed .* 1 × 101 × 64, .* 1 × 17 × 64"),
        ({"patch_size": 8}, r"patch_embed\.proj\.weight .* × 16 × 16, .* × 8 × 8"),
    ],
)
def test_timm_weights_of_other_sizes_than_their_configuration_are_refused(
    arguments: dict[str, int], said: str, tmp_path: Path
) -> None:
    assert build_timm(vit_folder(tmp_path / "whole")).dim == 64
    with pytest.raises(WeightsError, match=said):
        build_timm(vit_folder(tmp_path / "other", **arguments))


def gap_folder(folder: Path, without: str | None) -> Path:
    """A model of which timm lets weights be missing."""
    define_missing_operators()
    import timm

    name = "vit_base_patch16_siglip_gap_224"
    arguments = {"embed_dim": 16, "depth": 2, "num_heads": 2}
    weights = timm.create_model(name, pretrained=False, **arguments).state_dict()
    kept = {n: t for n, t in weights.items() if without is None or not n.startswith(without)}
    settings = {"num_classes": 0, "input_size": [3, 224, 224], "classifier": "head"}
    config = {"architecture": name, "model_args": arguments, "pretrained_cfg": settings}
    folder.mkdir()
    save_file(kept, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**config, "num_classes": 0}))
    return folder


def test_timm_weights_that_would_be_random_are_refused_of_every_architecture(
    tmp_path: Path,
) -> None:
    assert build_timm(gap_folder(tmp_path / "whole", None)).dim == 16
    with pytest.raises(WeightsError, match=r"lacks \d+ weights \(first: blocks\.1\."):
        build_timm(gap_folder(tmp_path / "part", "blocks.1."))


def test_a_conversion_of_timm_that_knows_no_module_is_called_as_it_wants(tmp_path: Path) -> None:
    define_missing_operators()
    import timm

    folder = tmp_path / "crossvit"
    model = timm.create_model("crossvit_tiny_240", pretrained=False, num_classes=2)
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    settings = {"num_classes": 2, "input_size": [3, 240, 240], "fixed_input_size": True}
    config = {"architecture": "crossvit_tiny_240", "num_classes": 2, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config))
    assert build_timm(folder).dim > 0


def prepared(side: int) -> ImagePreparationParams:
    return ImagePreparationParams(
        side=side, fit="squash", interpolation="bilinear", mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)
    )


@pytest.mark.parametrize(("kind", "side"), [("clip", 64), ("swin", 20), ("vit_mae", 4)])
def test_pictures_of_a_size_that_a_model_does_not_read_name_the_setting(
    kind: str, side: int, tmp_path: Path
) -> None:
    folder = checkpoints.write_checkpoint(kind, tmp_path)
    with pytest.raises(WeightsError, match=r"does not read pictures .*; set preparation to null"):
        build_image_tokens(image_params(folder, preparation=prepared(side).model_dump()))


def test_pictures_of_a_size_that_a_backbone_does_not_read_name_the_setting(tmp_path: Path) -> None:
    folder = vit_folder(tmp_path / "vit")
    with pytest.raises(WeightsError, match=r"does not read pictures .*; set preparation to null"):
        build_timm(folder, prepared(50))


def with_more_words(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    described = json.loads(path.read_text())
    words = described["model"]["vocab"]
    words |= {f"more{number}": len(words) + number for number in range(60)}
    path.write_text(json.dumps(described))
    return folder


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    said = r"its tokenizer has 86 tokens, the model embeddings for 40"
    bare = with_more_words(checkpoints.write_checkpoint("bert", tmp_path / "bert"))
    with pytest.raises(WeightsError, match=said):
        build_text_tokens(text_params(bare))
    sentences = with_more_words(sentence_folder("bert", tmp_path / "sentences"))
    with pytest.raises(WeightsError, match=said):
        build_sentence(sentences)
