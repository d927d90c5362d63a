"""What a loading library would only warn of is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmrec.features.contract import TextExtractor
from mmrec.features.extractors.build import (
    build_image_extractor,
    build_image_tokens,
    build_pair_tokens,
    build_text_tokens,
)
from mmrec.features.extractors.hub import WeightsError
from mmrec.params.features import TimmImageParams
from tests.features import checkpoints, worlds
from tests.features.loading_worlds import (
    build_clip_text,
    build_sentence,
    change_json,
    change_weights,
    sentence_folder,
)
from tests.features.token_worlds import image_params, pair_params, text_params

POSITIONS = {"bert": 24, "roberta": 22, "xlm-roberta": 22}
"""Of the tiny checkpoints, those that can be used."""


# --- positions ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", POSITIONS)
def test_a_long_text_is_read_as_far_as_there_are_usable_positions(
    kind: str, tmp_path: Path
) -> None:
    folder, limit = sentence_folder(kind, tmp_path), POSITIONS[kind]
    extractor: TextExtractor = build_sentence(folder)
    one, two, short = extractor.encode(["red " * 60 + "blue", "red " * 70 + "green", "red"])
    assert np.array_equal(one, two)
    assert not np.array_equal(one, short)
    assert build_sentence(folder, limit).fingerprint == extractor.fingerprint
    assert build_sentence(folder, limit - 1).encode(["red " * 60]).shape == (1, extractor.dim)


@pytest.mark.parametrize("beyond", [1, 2, 3])
@pytest.mark.parametrize("kind", POSITIONS)
def test_a_max_length_beyond_the_usable_positions_is_refused_with_the_limit(
    kind: str, beyond: int, tmp_path: Path
) -> None:
    folder, limit = sentence_folder(kind, tmp_path), POSITIONS[kind]
    with pytest.raises(WeightsError, match=f"at most {limit} tokens; set max_length to {limit} "):
        build_sentence(folder, limit + beyond)


def test_a_model_without_any_limit_needs_one(tmp_path: Path) -> None:
    folder = t5_folder(tmp_path)
    with pytest.raises(WeightsError, match="sets no limit on the length of a text; set max_length"):
        build_sentence(folder)
    assert build_sentence(folder, 40).encode(["red " * 90]).shape == (1, 16)


def t5_folder(folder: Path) -> Path:
    import transformers

    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )
    transformers.T5Model(config).save_pretrained(folder / "bare")
    checkpoints.write_tokenizer(folder / "bare")
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(folder / "bare")).save(str(folder / "saved"))
    return folder / "saved"


# --- whole checkpoints -------------------------------------------------------------------


def fewer_blocks(config: dict[str, Any]) -> None:
    if "depths" in config:
        config["depths"] = [1, 1]
    else:
        config["num_hidden_layers"] = 2


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra"])
def test_a_part_of_a_checkpoint_of_text_is_no_model(kind: str, tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint(kind, tmp_path / kind)
    change_json(folder / "config.json", fewer_blocks)
    with pytest.raises(WeightsError, match=r"has 16 weights of blocks that are not in its config"):
        build_text_tokens(text_params(folder))


@pytest.mark.parametrize("kind", ["vit_mae", "swin", "resnet"])
def test_a_part_of_a_checkpoint_of_pictures_is_no_model(kind: str, tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint(kind, tmp_path / kind)
    change_json(folder / "config.json", fewer_blocks)
    with pytest.raises(WeightsError, match=r"weights of blocks that are not in its config"):
        build_image_tokens(image_params(folder))


def test_a_part_of_a_checkpoint_of_pairs_is_no_model(tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint("vilt", tmp_path / "vilt")
    change_json(folder / "config.json", fewer_blocks)
    with pytest.raises(WeightsError, match=r"weights of blocks that are not in its config"):
        build_pair_tokens(pair_params(folder))


def test_weights_of_other_shapes_are_named_with_both(tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint("bert", tmp_path / "bert")
    change_json(folder / "config.json", lambda config: config.update(vocab_size=41))
    said = r"first: \S*word_embeddings.weight, found 40 × 16, expected 41 × 16"
    with pytest.raises(WeightsError, match=said):
        build_text_tokens(text_params(folder))


def lose(part: str) -> Callable[[dict[str, torch.Tensor]], object]:
    def change(weights: dict[str, torch.Tensor]) -> None:
        for name in [name for name in weights if part in name]:
            del weights[name]

    return change


def test_a_sentence_model_whose_checkpoint_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = sentence_folder("bert", tmp_path)
    change_weights(folder, lose("layer.1.output.dense.weight"))
    with pytest.raises(WeightsError, match=r"lacks 1 weights \(first: encoder.layer.1.output"):
        build_sentence(folder)


def test_a_sentence_model_that_is_a_part_of_its_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = sentence_folder("roberta", tmp_path)
    change_json(folder / "config.json", fewer_blocks)
    with pytest.raises(WeightsError, match=r"has 16 weights of blocks that are not in its config"):
        build_sentence(folder)


def test_a_pooler_that_no_vector_passes_may_be_missing_and_is_in_no_fingerprint(
    tmp_path: Path,
) -> None:
    folder = sentence_folder("bert", tmp_path)
    whole = build_sentence(folder)
    change_weights(folder, lose("pooler"))
    one, two = build_sentence(folder), build_sentence(folder)
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.encode(["red shirt"]), whole.encode(["red shirt"]))


def test_a_model_that_does_not_say_how_tokens_become_a_vector_is_refused(tmp_path: Path) -> None:
    folder = sentence_folder("bert", tmp_path)
    (folder / "modules.json").unlink()
    with pytest.raises(WeightsError, match=r"no modules\.json among its files"):
        build_sentence(folder)


def test_a_model_of_another_kind_is_not_converted(tmp_path: Path) -> None:
    folder = sentence_folder("bert", tmp_path)
    path = folder / "config_sentence_transformers.json"
    change_json(path, lambda settings: settings.update(model_type="SparseEncoder"))
    with pytest.raises(WeightsError, match="it is a SparseEncoder, expected a SentenceTransformer"):
        build_sentence(folder)


def build_timm(folder: Path) -> object:
    return build_image_extractor(
        TimmImageParams(
            name="timm_image",
            model=str(folder),
            revision=None,
            checkpoint=None,
            preparation=None,
            normalize=True,
        )
    )


def test_timm_weights_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    folder = worlds.write_tiny_timm(tmp_path / "timm")
    change_json(folder / "config.json", lambda config: config.update(model_args={"num_classes": 5}))
    with pytest.raises(WeightsError, match="num_classes is 5, but its weights were made for 7"):
        build_timm(folder)


def test_timm_weights_of_grey_pictures_are_refused(tmp_path: Path) -> None:
    def grey(weights: dict[str, torch.Tensor]) -> None:
        weights["conv1.0.weight"] = weights["conv1.0.weight"].sum(1, keepdim=True)

    folder = worlds.write_tiny_timm(tmp_path / "timm")
    change_weights(folder, grey)
    change_json(
        folder / "config.json",
        lambda config: config["pretrained_cfg"].update(
            input_size=[1, 48, 48], mean=[0.5], std=[0.5]
        ),
    )
    with pytest.raises(WeightsError, match=r"channels of a picture is 3, but .* made for 1"):
        build_timm(folder)


def test_of_several_clip_weights_none_is_taken_at_random(tmp_path: Path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    whole = folder / "open_clip_model.safetensors"
    (folder / "epoch_2.safetensors").write_bytes(whole.read_bytes())
    assert build_clip_text(folder).dim == 24
    whole.rename(folder / "epoch_1.safetensors")
    with pytest.raises(WeightsError, match=r"2 weights files in .*epoch_1.*epoch_2.*; name it"):
        build_clip_text(folder)
