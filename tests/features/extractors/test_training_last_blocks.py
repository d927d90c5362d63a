"""Training last blocks from the states that enter them equals running the whole encoder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from mmrec.features.extractors.build import build_text_tokens
from mmrec.features.extractors.kept_blocks import build_last_blocks
from mmrec.features.extractors.last_blocks import ANATOMIES, image_tower, text_tower
from mmrec.features.extractors.patch_masking import PatchMasking
from mmrec.features.extractors.transformer_image_tokens import PatchEncoder
from mmrec.features.extractors.transformer_model import load_transformer
from mmrec.features.token_table import load_token_table
from tests.features import checkpoints, worlds
from tests.features.token_worlds import ITEMS, TEXTS, Case, embed_case, text_params

NUM_STEPS = 5
WIDEST = 24
TARGETS = torch.randn(len(ITEMS) + 1, WIDEST, generator=torch.manual_seed(1))
"""An arbitrary vector for each item."""
PRECISIONS = [("float32", 1e-5), ("float16", 2e-3)]
PICTURES = [worlds.picture(seed) for seed in range(len(ITEMS))]
States = tuple[torch.Tensor, torch.Tensor]


class Tuned(NamedTuple):
    """Which blocks of which encoder are trained."""

    case: Case
    below_last: int
    masking: dict[str, Any] | None = None


TUNED = {
    "bert": Tuned(Case("text", "bert"), 2),
    "roberta": Tuned(Case("text", "roberta"), 2),
    "clip text": Tuned(Case("text", "clip"), 2),
    "clip image": Tuned(Case("image", "clip"), 2),
    "clip image, all blocks": Tuned(Case("image", "clip"), 3),
    "vit_mae": Tuned(Case("image", "vit_mae"), 2),
    "vit_mae, masked": Tuned(Case("image", "vit_mae"), 2, {"share": 0.75, "seed": 0}),
    "swin stage": Tuned(Case("image", "swin"), 2),
    "resnet, same grid": Tuned(Case("image", "resnet"), 2),
    "resnet stage": Tuned(Case("image", "resnet"), 3),  # its first bottleneck halves the grid
}


def loss_of(final: Callable[[torch.Tensor], States], batch: torch.Tensor) -> torch.Tensor:
    """A loss of a batch in which items repeat; each is encoded once."""
    items, places = batch.unique(return_inverse=True)
    states, mask = final(items)
    pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return (pooled[places] - TARGETS[batch, : pooled.shape[1]]).square().mean()


def trained(
    blocks: nn.Module, final: Callable[[torch.Tensor], States]
) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses and parameters after some steps over batches in which items repeat.

    Args:
        blocks: what is trained.
        final: final states and mask of the distinct items of a batch.
    """
    parameters = dict(blocks.named_parameters())
    optimizer = torch.optim.Adam(parameters.values(), lr=1e-3)
    generator = torch.Generator().manual_seed(2)
    losses = []
    for _ in range(NUM_STEPS):
        loss = loss_of(final, torch.randint(1, len(ITEMS) + 1, (6,), generator=generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p.detach().clone() for name, p in parameters.items()}


class WholeEncoder(nn.Module):
    """An encoder that reads its texts or pictures anew in every step, its lower blocks frozen."""

    def __init__(self, folder: Path, extractor: Any, tuned: Tuned) -> None:
        super().__init__()
        whole = load_transformer(str(folder), None).module
        is_text = tuned.case.input == "text"
        self.encoder = text_tower(whole) if is_text else image_tower(whole)
        anatomy = ANATOMIES[self.encoder.config.model_type]
        layers = list(_part(self.encoder, anatomy.blocks))[-tuned.below_last :]
        norm = _part(self.encoder, anatomy.norm) if anatomy.norm else nn.Identity()
        self.top = nn.ModuleDict({"blocks": nn.ModuleList(layers), "norm": norm})
        """Its last blocks, named as those beside the states are."""
        self.encoder.requires_grad_(requires_grad=False)
        self.top.requires_grad_(requires_grad=True)
        self._extractor = extractor
        if not is_text:
            masking = tuned.masking and PatchMasking(**tuned.masking)
            self._pictures = PatchEncoder(self.encoder, first_token=0, masking=masking)

    def forward(self, items: torch.Tensor) -> States:
        rows = (items - 1).tolist()
        if self._extractor.blocks_plan.input == "image":
            apply = self._extractor.preparation.apply
            final = self._pictures(torch.stack([apply(PICTURES[row]) for row in rows]))
            return final, torch.ones(final.shape[:2], dtype=torch.bool)
        tokenizer = self._extractor._tokenizer
        ids, _ = tokenizer([TEXTS[row] for row in rows])
        # As long as the longest text, so that the others are padded.
        tokens, mask = tokenizer.batch(ids, max(map(len, ids)))
        found = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return found, mask.bool()


def _part(module: Any, path: str) -> Any:
    for step in path.split("."):
        module = module[int(step)] if step.lstrip("-").isdigit() else getattr(module, step)
    return module


class Pair(NamedTuple):
    """The same encoder twice."""

    blocks: nn.Module
    from_states: Callable[[torch.Tensor], States]
    whole: WholeEncoder
    folder: Path


@pytest.fixture
def pair(build: Any, folder_of: Any, tmp_path: Path) -> Callable[[str, str], Pair]:
    def made(name: str, precision: str) -> Pair:
        tuned = TUNED[name]
        masking = {} if tuned.masking is None else {"masking": tuned.masking}
        extractor = build(tuned.case, below_last=tuned.below_last, **masking)
        folder = embed_case(extractor, tuned.case, tmp_path / "f", precision=precision)
        table = load_token_table(folder, worlds.items(ITEMS))
        blocks = build_last_blocks(folder).eval()  # the whole encoder, too, is without dropout

        def from_states(items: torch.Tensor) -> States:
            states, mask = table.gather(items).padded()
            assert str(states.dtype) == f"torch.{precision}"
            if tuned.case.input == "text":
                assert not mask.all() or len(items) == 1
                return blocks(states.float(), mask), mask
            final = blocks(states.float())
            return final, mask.new_ones(final.shape[:2])

        whole = WholeEncoder(folder_of(tuned.case.kind), extractor, tuned).eval()
        return Pair(blocks, from_states, whole, folder)

    return made


@pytest.mark.parametrize(("precision", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("name", TUNED)
def test_training_from_states_equals_running_the_whole_encoder_in_each_step(
    precision: str, tolerance: float, name: str, pair: Callable[[str, str], Pair]
) -> None:
    blocks, from_states, whole, folder = pair(name, precision)
    losses, parameters = trained(blocks, from_states)
    expected_losses, expected = trained(whole.top, whole)
    assert parameters.keys() == expected.keys()
    before = dict(build_last_blocks(folder).named_parameters())
    unmoved = {n for n, value in parameters.items() if torch.equal(value, before[n])}
    # The bias of keys has no effect on attention.
    assert not [n for n in unmoved if not n.endswith(("k_proj.bias", "key.bias"))]
    assert np.abs(np.subtract(losses, expected_losses)).max() < tolerance * max(losses)
    # An Adam step is as large for the smallest gradient as for the largest: compare what is made.
    with torch.inference_mode():
        items = torch.arange(1, len(ITEMS) + 1)
        (found, mask), (wanted, _) = from_states(items), whole(items)
    assert (found - wanted)[mask].abs().max() < tolerance * wanted[mask].abs().max()


@pytest.mark.parametrize("name", TUNED)
def test_gradients_from_states_are_those_of_the_whole_encoder_frozen_below(
    name: str, pair: Callable[[str, str], Pair]
) -> None:
    blocks, from_states, whole, _ = pair(name, "float32")
    batch = torch.tensor([2, 4, 2, 1])
    with torch.no_grad():
        (found, mask), (wanted, _) = from_states(batch.unique()), whole(batch.unique())
    assert (found - wanted)[mask].abs().max() < 1e-5 * max(1, wanted[mask].abs().max())
    loss_of(from_states, batch).backward()
    loss_of(whole, batch).backward()
    tuned = dict(whole.top.named_parameters())
    found_names = {name for name, one in blocks.named_parameters() if one.grad is not None}
    assert found_names == tuned.keys()
    largest = max(float(one.grad.abs().max()) for one in tuned.values())
    for parameter, one in blocks.named_parameters():
        difference = (one.grad - tuned[parameter].grad).abs().max()
        assert difference < 1e-5 * largest, parameter
    reached = [one for one in whole.encoder.parameters() if one.grad is not None]
    assert len(reached) == len(tuned)


def test_items_of_a_batch_do_not_change_each_other_in_training(
    pair: Callable[[str, str], Pair],
) -> None:
    blocks, from_states, _, _ = pair("resnet stage", "float32")
    blocks.train()
    before = {name: buffer.clone() for name, buffer in blocks.named_buffers()}
    assert any("running_mean" in name for name in before)
    together, _ = from_states(torch.tensor([1, 2, 3]))
    alone, _ = from_states(torch.tensor([2]))
    assert (together[1] - alone[0]).abs().max() < 1e-5 * together.abs().max()
    loss_of(from_states, torch.tensor([1, 2, 3])).backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in blocks.named_buffers())
    assert all(one.grad is not None for one in blocks.parameters())
    bert = pair("bert", "float32").blocks.train()
    assert all(module.training for module in bert.modules())  # dropout stays as it is


def test_a_step_from_states_is_faster_than_one_through_the_whole_encoder(tmp_path: Path) -> None:
    model = checkpoints.write_checkpoint("deep_bert", tmp_path / "deep")
    extractor = build_text_tokens(text_params(model, below_last=2))
    folder = embed_case(extractor, Case("text", "bert"), tmp_path / "f")
    table = load_token_table(folder, worlds.items(ITEMS))
    blocks = build_last_blocks(folder)
    whole = WholeEncoder(model, extractor, TUNED["bert"]).requires_grad_(requires_grad=True)
    items = torch.arange(1, len(ITEMS) + 1)

    def seconds(final: Callable[[], torch.Tensor]) -> float:
        def step() -> float:
            started = time.perf_counter()
            final().square().mean().backward()
            return time.perf_counter() - started

        return min(step() for _ in range(9))

    from_states = seconds(lambda: blocks(*table.gather(items).padded()))
    through_all = seconds(lambda: whole(items)[0])
    assert from_states < through_all / 2
