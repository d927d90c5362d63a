"""Last blocks beside their states: written with the model, built without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mmrec.features.contract import TokenStates
from mmrec.features.extractors import kept_blocks
from mmrec.features.extractors.build import build_text_tokens
from mmrec.features.extractors.kept_blocks import PLAN, WEIGHTS, build_last_blocks
from mmrec.features.extractors.lazy import LazyTokenExtractor, remembered
from mmrec.features.token_table import PackedTokens, load_token_table
from mmrec.io import DataError
from tests.features import checkpoints, worlds
from tests.features.extractors.test_tokens import CASES, depth_of
from tests.features.token_worlds import ITEMS, TEXTS, Case, embed_case, text_params


def tokens_of(folder: Path) -> PackedTokens:
    return load_token_table(folder, worlds.items(ITEMS)).gather(torch.arange(1, len(ITEMS) + 1))


def same_tensors(one: nn.Module, other: nn.Module) -> bool:
    """Equal parameters and buffers, by name."""
    tensors = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (one, other)]
    return tensors[0].keys() == tensors[1].keys() and all(
        torch.equal(value, tensors[1][name]) for name, value in tensors[0].items()
    )


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*request.param)


@pytest.mark.parametrize("depth", ["one", "all"])
def test_blocks_built_from_a_folder_are_those_of_the_model(
    case: Case, depth: str, build: Callable[..., Any], tmp_path: Path
) -> None:
    extractor = build(case, below_last=1 if depth == "one" else depth_of(case))
    folder = embed_case(extractor, case, tmp_path / "f")
    built = build_last_blocks(folder)
    assert same_tensors(built, extractor.last_blocks)
    packed = tokens_of(folder)
    states, mask = packed.padded()
    given = (states, None if bool(mask.all()) else mask)
    with torch.inference_mode():
        assert torch.equal(built.eval()(*given), extractor.last_blocks.eval()(*given))


def test_every_parameter_of_built_blocks_can_be_trained(
    case: Case, build: Callable[..., Any], tmp_path: Path
) -> None:
    blocks = build_last_blocks(embed_case(build(case, below_last=1), case, tmp_path / "f"))
    states, mask = tokens_of(tmp_path / "f").padded()
    generator = torch.Generator().manual_seed(0)
    final = blocks(states, None if bool(mask.all()) else mask)
    (final * torch.randn(final.shape, generator=generator)).sum().backward()
    assert list(blocks.parameters())
    for name, parameter in blocks.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.fixture
def folder(build: Callable[..., Any], tmp_path: Path) -> Path:
    return embed_case(
        build(Case("text", "bert"), below_last=2), Case("text", "bert"), tmp_path / "f"
    )


def test_building_draws_no_random_number(folder: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    build_last_blocks(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_below_is_never_read(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.nn.Embedding, "forward", lambda *_: pytest.fail("computed"))
    blocks = build_last_blocks(folder)
    assert not any("embedding" in name for name, _ in blocks.named_parameters())
    kept = (folder / WEIGHTS).stat().st_size
    assert kept < sum(p.numel() * 4 for p in blocks.parameters()) + 5_000


def test_two_folders_of_the_same_weights_give_the_same_bytes(
    folder: Path, build: Callable[..., Any], tmp_path: Path
) -> None:
    elsewhere = checkpoints.write_checkpoint("bert", tmp_path / "elsewhere")
    case = Case("text", "bert")
    other = embed_case(build(case, below_last=2, model=elsewhere), case, tmp_path / "g")
    for name in (PLAN, WEIGHTS):
        assert (other / name).read_bytes() == (folder / name).read_bytes()
    assert str(tmp_path) not in (folder / PLAN).read_text()


def test_final_states_have_no_blocks_to_train(build: Callable[..., Any], tmp_path: Path) -> None:
    folder = embed_case(build(Case("text", "bert")), Case("text", "bert"), tmp_path / "f")
    assert not (folder / PLAN).exists()
    with pytest.raises(DataError, match=r"f: no last_blocks.json.*below_last is 0.*embed with"):
        build_last_blocks(folder)


def test_blocks_of_other_states_are_refused(folder: Path, build: Any, tmp_path: Path) -> None:
    case = Case("text", "bert")
    other = embed_case(build(case, below_last=1), case, tmp_path / "g")
    for name in (PLAN, WEIGHTS):
        (other / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(DataError, match=r"last_blocks.json: belongs to other states.*embed stage"):
        build_last_blocks(other)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "cannot be read.*run the embed stage"),
        (lambda path: path.write_bytes(b"broken"), "cannot be read.*run the embed stage"),
        (
            lambda path: kept_blocks.save_file({"blocks.0.x": torch.zeros(1)}, path),
            r"\d+ tensors are not those of the architecture.*first: 'blocks.0.*run the embed",
        ),
    ],
)
def test_weights_that_are_damaged_or_foreign_are_refused(folder: Path, spoil, said: str) -> None:
    spoil(folder / WEIGHTS)
    with pytest.raises(DataError, match=f"last_blocks.safetensors: {said}"):
        build_last_blocks(folder)


def test_a_remembered_extractor_writes_the_same_blocks(tmp_path: Path) -> None:
    model = checkpoints.write_checkpoint("bert", tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    # Numbers as keys are in another order than their texts.
    config["id2label"] = {str(number): f"label {number}" for number in range(12)}
    (model / "config.json").write_text(json.dumps(config))
    params = text_params(model, below_last=2)
    folders = []
    for name in ("built", "remembered"):
        extractor = remembered(params, lambda: build_text_tokens(params), tmp_path / "memory")
        folders.append(embed_case(extractor, Case("text", "bert"), tmp_path / name))
    assert isinstance(extractor, LazyTokenExtractor)
    for name in (PLAN, WEIGHTS):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_states_are_as_many_as_the_whole_encoder_reads(folder: Path, build: Any) -> None:
    states: TokenStates = build(Case("text", "bert"), below_last=2).encode(TEXTS)
    assert tokens_of(folder).lengths.tolist() == states.lengths.tolist()
