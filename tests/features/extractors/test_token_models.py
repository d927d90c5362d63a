"""Token states against the libraries' own, the choice of tokens, and what is said of errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from mmrec.features.contract import TextImagePair
from mmrec.features.extractors.build import build_image_tokens, build_pair_tokens, build_text_tokens
from mmrec.features.extractors.hub import WeightsError
from tests.features import checkpoints, worlds
from tests.features.token_worlds import Case, image_params, pair_params, text_params

TEXTS = ["red shirt with stripes", "", "the soft blue cotton shirt and the green stripes"]
PICTURES = [worlds.picture(seed, (44, 40)) for seed in range(3)]
PAIRS = [TextImagePair(*pair) for pair in zip(TEXTS, PICTURES, strict=True)]


def _library(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder).eval()


def _ids(extractor: Any, text: str) -> torch.Tensor:
    return torch.tensor(extractor._tokenizer([text])[0])


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "electra", "clip", "groupvit"])
def test_text_states_are_those_of_the_library_without_padding(kind, build, folder_of) -> None:
    extractor = build(Case("text", kind))
    model = _library(folder_of(kind))
    model = getattr(model, "text_model", model)
    for text, found in zip(TEXTS, extractor.encode(TEXTS).split(), strict=True):
        with torch.inference_mode():
            expected = model(input_ids=_ids(extractor, text)).last_hidden_state[0].numpy()
        assert found == pytest.approx(expected, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("kind", ["clip", "swin", "resnet", "groupvit", "flava"])
def test_image_states_are_those_of_the_library(kind, build, folder_of) -> None:
    extractor = build(Case("image", kind))
    model = _library(folder_of(kind))
    model = getattr(model, "vision_model", getattr(model, "image_model", model))
    for picture, found in zip(PICTURES, extractor.encode(PICTURES).split(), strict=True):
        with torch.inference_mode():
            expected = model(extractor.preparation.apply(picture)[None]).last_hidden_state[0]
        if expected.ndim == 3:
            expected = expected.flatten(1).T
        assert found == pytest.approx(expected.numpy(), abs=1e-5, rel=1e-5)


def test_mae_keeps_every_patch_in_its_place(build, folder_of) -> None:
    extractor = build(Case("image", "vit_mae"))
    model = _library(folder_of("vit_mae"))
    pixels = torch.stack([extractor.preparation.apply(picture) for picture in PICTURES])
    with torch.inference_mode():
        patches = model.embeddings.patch_embeddings(pixels)
        positions = model.embeddings.position_embeddings
        first = model.embeddings.cls_token.expand(3, -1, -1)
        states = torch.cat([first, patches], 1) + positions
        for layer in model.layers:
            states = layer(states, None)
        expected = model.layernorm(states)
    found = np.stack(extractor.encode(PICTURES).split())
    assert found == pytest.approx(expected.numpy(), abs=1e-5, rel=1e-5)


def _expected_pair(kind: str, model: Any, extractor: Any, pair: TextImagePair) -> torch.Tensor:
    ids, pixels = _ids(extractor, pair.text), extractor._preparation.apply(pair.image)[None]
    if kind == "flava":
        return model(input_ids=ids, pixel_values=pixels).multimodal_embeddings[0]
    if kind == "visual_bert":
        visual = extractor._encoder.visual(pixels)
        states = model(input_ids=ids, visual_embeds=visual).last_hidden_state[0]
        return torch.cat([states[ids.shape[1] :], states[: ids.shape[1]]])
    if kind == "vilt":
        # The library draws the patches in random order: only the text and the class token stay.
        states = model(input_ids=ids, pixel_values=pixels).last_hidden_state[0]
        return torch.cat([states[ids.shape[1] :], states[: ids.shape[1]]])
    text = model.text_model(input_ids=ids).last_hidden_state[0]
    image = model.vision_model(pixels).last_hidden_state[0]
    return torch.cat([image, torch.nn.functional.pad(text, (0, 8))])


@pytest.mark.parametrize("kind", ["clip", "groupvit", "vilt", "visual_bert", "flava"])
def test_pair_states_are_those_of_the_library(kind, build, folder_of) -> None:
    extractor = build(Case("pair", kind))
    model = _library(folder_of(kind))
    for pair, found in zip(PAIRS, extractor.encode(PAIRS).split(), strict=True):
        with torch.inference_mode():
            expected = _expected_pair(kind, model, extractor, pair).numpy()
        if kind == "vilt":
            patches = slice(1, extractor.num_image_tokens)
            near = np.abs(found[patches, None] - expected[None, patches]).max(2) < 1e-4
            assert (near.sum(0) == 1).all()
            assert (near.sum(1) == 1).all()
            found, expected = np.delete(found, patches, 0), np.delete(expected, patches, 0)
        assert found == pytest.approx(expected, abs=1e-5, rel=1e-5)


def test_without_special_tokens_only_words_and_patches_are_left(build) -> None:
    for kind in ("bert", "clip"):
        whole = build(Case("text", kind)).encode(TEXTS).split()
        bare = build(Case("text", kind), special_tokens=False).encode(TEXTS).split()
        assert all(np.array_equal(b, w[1:-1]) for b, w in zip(bare, whole, strict=True))
        assert [len(one) for one in bare] == [4, 0, 9]
    for kind, num_special in (("clip", 1), ("vit_mae", 1), ("swin", 0), ("resnet", 0)):
        whole = build(Case("image", kind)).encode(PICTURES).split()
        bare = build(Case("image", kind), special_tokens=False).encode(PICTURES).split()
        assert all(np.array_equal(b, w[num_special:]) for b, w in zip(bare, whole, strict=True))


@pytest.mark.parametrize(
    ("side", "below_last", "entering", "final"),
    [
        (224, 0, (49, 24), (49, 24)),
        (224, 2, (49, 24), (49, 24)),
        (224, 3, (196, 16), (49, 24)),  # the first bottleneck of a stage halves the grid
        (200, 3, (169, 16), (49, 24)),  # 13 x 13 become 7 x 7
        (64, 3, (16, 16), (4, 24)),
    ],
)
def test_the_grid_of_a_resnet_is_at_most_49_tokens_behind_its_last_stage(
    side: int, below_last: int, entering: tuple[int, int], final: tuple[int, int], tmp_path: Path
) -> None:
    import transformers

    # The strides of a ResNet-50.
    config = transformers.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 24],
        depths=[1, 1, 1, 3],
        layer_type="bottleneck",
    )
    model = transformers.ResNetModel(config).eval()
    model.save_pretrained(tmp_path)
    half = (0.5, 0.5, 0.5)
    square = {"side": side, "fit": "crop", "interpolation": "bilinear", "mean": half, "std": half}
    extractor = build_image_tokens(
        image_params(tmp_path, below_last=below_last, preparation=square)
    )
    states = extractor.encode(PICTURES)
    assert states.lengths.tolist() == [entering[0]] * 3
    assert (extractor.num_tokens, extractor.dim) == entering
    pixels = torch.stack([extractor.preparation.apply(picture) for picture in PICTURES])
    with torch.inference_mode():
        found = extractor.last_blocks(torch.from_numpy(np.stack(states.split())))
        expected = model(pixels).last_hidden_state.flatten(2).transpose(1, 2)
    assert found.shape == (3, *final)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5, rel=1e-5)


def test_an_unknown_word_is_no_special_token(build) -> None:
    bare = build(Case("text", "bert"), special_tokens=False)
    assert bare.encode(["zzz red zzz"]).lengths.tolist() == [3]


def test_visual_bert_reads_patches_that_passed_no_block(build, folder_of) -> None:
    visual = image_params(folder_of("clip"), below_last=3)
    extractor = build(Case("pair", "visual_bert"), visual=visual)
    assert extractor.num_image_tokens == 17
    assert extractor.fingerprint != build(Case("pair", "visual_bert")).fingerprint


def test_pictures_and_texts_are_drawn_two_batches_ahead(build) -> None:
    extractor = build(Case("pair", "vilt"))
    drawn, at_batch, forward = [], [], extractor._forward
    extractor._forward = lambda group: (at_batch.append(len(drawn)), forward(group))[1]

    def stream() -> Any:
        for seed in range(60):
            drawn.append(seed)
            yield TextImagePair("red", worlds.picture(seed))

    assert len(extractor.encode(stream()).lengths) == 60
    assert at_batch == [48, 60, 60, 60]


@pytest.mark.parametrize(
    ("case", "changes", "said"),
    [
        (("text", "bert"), {"below_last": 4}, "the model has 3 blocks; set below_last to 0..3"),
        (("image", "swin"), {"below_last": 3}, "its last stage has 2 blocks"),
        (("image", "resnet"), {"below_last": 4}, "its last stage has 3 blocks"),
        (("pair", "clip"), {"below_last": 4}, "has 3 blocks"),
        (("pair", "flava"), {"below_last": 6}, "has 3 blocks"),
        (("text", "bert"), {"max_length": 25}, "at most 24 tokens"),
        (("text", "roberta"), {"max_length": 23}, "at most 22 tokens"),
        (("pair", "vilt"), {"max_length": 30}, "at most 24 tokens"),
        (("pair", "visual_bert"), {"visual": None}, "needs a 'visual', found none"),
    ],
)
def test_settings_that_a_model_cannot_follow_are_explained(case, changes, said, build) -> None:
    with pytest.raises(WeightsError, match=said):
        build(Case(*case), **changes)


def test_models_that_do_not_fit_are_explained(folder_of) -> None:
    resnet, swin = image_params(folder_of("resnet")), image_params(folder_of("swin"))
    tokenizer = str(folder_of("tokenizer"))
    with pytest.raises(WeightsError, match="a clip needs no 'visual'"):
        build_pair_tokens(pair_params(folder_of("clip"), visual=resnet))
    with pytest.raises(WeightsError, match="width 24, but those of 'visual' have 16"):
        build_pair_tokens(pair_params(folder_of("visual_bert"), visual=swin, tokenizer=tokenizer))
    with pytest.raises(WeightsError, match=r"says bert, expected one of: clip"):
        build_pair_tokens(pair_params(folder_of("bert")))


def test_special_tokens_may_not_be_dropped_below_blocks(folder_of) -> None:
    for params in (text_params, image_params):
        with pytest.raises(ValidationError, match="set special_tokens to true"):
            params("folder", below_last=2, special_tokens=False)


def test_blocks_of_an_unknown_architecture_cannot_be_taken_off(tmp_path) -> None:
    import transformers

    config = transformers.ViTConfig(**checkpoints.SMALL, image_size=checkpoints.SIDE, patch_size=8)
    transformers.ViTModel(config).save_pretrained(tmp_path)
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    final = build_image_tokens(image_params(tmp_path)).encode(PICTURES)
    assert final.lengths.tolist() == [17] * 3
    with pytest.raises(WeightsError, match="where a vit keeps its blocks is not known"):
        build_image_tokens(image_params(tmp_path, below_last=1))


def test_weights_that_a_checkpoint_lacks_are_not_made_up(folder_of, tmp_path) -> None:
    folder = checkpoints.write_checkpoint("bert", tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "layer.1.output.dense.weight" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="lacks 1 weights"):
        build_text_tokens(text_params(folder))


def test_pickled_weights_are_read_as_weights_only(folder_of, tmp_path) -> None:
    folder = checkpoints.write_checkpoint("bert", tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    expected = build_text_tokens(text_params(folder_of("bert"))).fingerprint
    assert build_text_tokens(text_params(folder)).fingerprint == expected
    torch.save({**weights, "evil": Path("x")}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="a pickle of more than tensors"):
        build_text_tokens(text_params(folder))


@pytest.mark.parametrize(
    ("name", "said"),
    [("preprocessor_config.json", "could not be loaded"), ("config.json", "could not be loaded")],
)
def test_an_incomplete_folder_is_explained(name, said, tmp_path) -> None:
    folder = checkpoints.write_checkpoint("vit_mae", tmp_path / "mae")
    (folder / name).unlink()
    with pytest.raises(WeightsError, match=said):
        build_image_tokens(image_params(folder))
