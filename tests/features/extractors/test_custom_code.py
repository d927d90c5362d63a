"""No code that lies among the files of a model is ever run, whoever says yes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mmrec.features.extractors.build import build_image_tokens, build_pair_tokens, build_text_tokens
from mmrec.features.extractors.hub import CustomCodeError, WeightsError
from tests.features import checkpoints, worlds
from tests.features.loading_worlds import (
    build_clip_text,
    build_sentence,
    change_json,
    sentence_folder,
)
from tests.features.token_worlds import image_params, pair_params, text_params


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a model's code would leave, if it ran; whoever is asked says yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n" * 9))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    return tmp_path / "mark"


def plant(folder: Path, mark: Path) -> None:
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")


AUTO_MAP = {
    "AutoConfig": "own.Config",
    "AutoModel": "own.Model",
    "AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"],
    "AutoProcessor": "own.Processor",
    "AutoImageProcessor": "own.Processor",
}


def of_unknown_architecture(folder: Path, mark: Path) -> Path:
    """Every file asks for code, the configuration of a kind that the library does not know."""
    plant(folder, mark)
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        if (folder / name).exists():
            change_json(folder / name, lambda settings: settings.update(auto_map=AUTO_MAP))
    change_json(folder / "config.json", lambda settings: settings.update(model_type="own"))
    return folder


@pytest.mark.parametrize(
    ("kind", "build"),
    [
        ("bert", lambda folder: build_text_tokens(text_params(folder))),
        ("vit_mae", lambda folder: build_image_tokens(image_params(folder))),
        ("vilt", lambda folder: build_pair_tokens(pair_params(folder))),
    ],
)
def test_code_among_the_files_of_a_transformer_is_never_run(
    kind: str, build: Callable[[Path], object], mark: Path, tmp_path: Path
) -> None:
    folder = checkpoints.write_checkpoint(kind, tmp_path / kind)
    with pytest.raises(WeightsError, match=r"needs custom code .* never run; choose a model"):
        build(of_unknown_architecture(folder, mark))
    assert not mark.exists()


def test_a_tokenizer_or_image_processor_of_its_own_is_never_run(mark: Path, tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint("clip", tmp_path / "clip")
    plant(folder, mark)
    for name in ("tokenizer_config.json", "preprocessor_config.json"):
        change_json(
            folder / name,
            lambda settings: settings.update(
                auto_map=AUTO_MAP, tokenizer_class="Own", image_processor_type="Own"
            ),
        )
    for build in (
        lambda: build_text_tokens(text_params(folder)),
        lambda: build_image_tokens(image_params(folder)),
        lambda: build_pair_tokens(pair_params(folder)),
    ):
        # Where the library has a class of its own for the architecture, that is taken.
        with suppress(CustomCodeError):
            build()
    assert not mark.exists()


def test_code_among_the_files_of_a_sentence_model_is_never_run(mark: Path, tmp_path: Path) -> None:
    folder = sentence_folder("bert", tmp_path)
    with pytest.raises(WeightsError, match="needs custom code"):
        build_sentence(of_unknown_architecture(folder, mark))
    other = sentence_folder("bert", tmp_path / "other")
    plant(other, mark)
    modules = json.loads((other / "modules.json").read_text())
    modules[0]["type"] = "own.Model"
    (other / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(WeightsError, match="needs custom code"):
        build_sentence(other)
    assert not mark.exists()


def test_code_behind_the_text_tower_of_a_clip_is_never_run(mark: Path, tmp_path: Path) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    tower = of_unknown_architecture(checkpoints.write_checkpoint("bert", tmp_path / "bert"), mark)
    config = {**worlds.CLIP_CONFIG, "text_cfg": {"hf_model_name": str(tower)}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    with pytest.raises(WeightsError, match="needs custom code"):
        build_clip_text(folder)
    assert not mark.exists()


@pytest.mark.parametrize("trusted", [True, None])
def test_a_clip_cannot_ask_for_a_tokenizer_of_its_own(
    trusted: bool | None, mark: Path, tmp_path: Path
) -> None:
    folder = worlds.write_tiny_clip(tmp_path / "clip")
    checkpoints.write_tokenizer(folder)
    plant(folder, mark)
    change_json(
        folder / "tokenizer_config.json",
        lambda settings: settings.update(auto_map=AUTO_MAP, tokenizer_class="Own"),
    )
    settings = {"hf_tokenizer_name": "any", "tokenizer_kwargs": {"trust_remote_code": trusted}}
    text = {**worlds.CLIP_CONFIG["text_cfg"], **settings}  # type: ignore[dict-item]
    config = {"model_cfg": {**worlds.CLIP_CONFIG, "text_cfg": text}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CustomCodeError) if trusted else suppress(CustomCodeError):
        build_clip_text(folder)
    assert not mark.exists()
