"""Training last blocks from the states that enter them equals running the whole encoder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mmrec.features.extractors.build import build_text_tokens
from mmrec.features.extractors.kept_blocks import build_last_blocks
from mmrec.features.extractors.transformer_model import load_transformer
from mmrec.features.token_table import load_token_table
from tests.features import checkpoints, worlds
from tests.features.token_worlds import ITEMS, TEXTS, Case, embed_case, text_params

NUM_STEPS = 12
TARGETS = torch.randn(
    len(ITEMS) + 1, checkpoints.SMALL["hidden_size"], generator=torch.manual_seed(1)
)
"""An arbitrary vector for each item."""
States = tuple[torch.Tensor, torch.Tensor]


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
        batch = torch.randint(1, len(ITEMS) + 1, (6,), generator=generator)
        items, places = batch.unique(return_inverse=True)
        states, mask = final(items)
        pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        loss = (pooled[places] - TARGETS[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p.detach().clone() for name, p in parameters.items()}


class WholeEncoder(nn.Module):
    """A text encoder that reads its tokens anew in every step."""

    def __init__(self, folder: Path, extractor: Any) -> None:
        super().__init__()
        whole = load_transformer(str(folder), None).module
        self.encoder = getattr(whole, "text_model", whole).requires_grad_(requires_grad=True)
        self._tokenizer = extractor._tokenizer

    def top(self, count: int) -> nn.ModuleDict:
        """Its last blocks, named as those beside the states are."""
        norm = getattr(self.encoder, "final_layer_norm", None)
        layers = self.encoder.encoder.layer if norm is None else self.encoder.encoder.layers
        norms = {} if norm is None else {"norm": norm}
        return nn.ModuleDict({"blocks": nn.ModuleList(layers[-count:]), **norms})

    def forward(self, items: torch.Tensor) -> States:
        ids, _ = self._tokenizer([TEXTS[item - 1] for item in items.tolist()])
        tokens, mask = self._tokenizer.batch(ids, max(map(len, ids)))
        found = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return found, mask.bool()


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float16", 2e-3)])
@pytest.mark.parametrize("kind", ["bert", "clip"])
def test_training_from_states_equals_running_the_whole_encoder_in_each_step(
    precision: str,
    tolerance: float,
    kind: str,
    build: Callable[..., Any],
    folder_of: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    case = Case("text", kind)
    extractor = build(case, below_last=2)
    folder = embed_case(extractor, case, tmp_path / "f", precision=precision)
    table = load_token_table(folder, worlds.items(ITEMS))
    blocks = build_last_blocks(folder).eval()  # the whole encoder, too, is without dropout

    def from_states(items: torch.Tensor) -> States:
        states, mask = table.gather(items).padded()
        return blocks(states.float(), mask), mask

    whole = WholeEncoder(folder_of(kind), extractor).eval()
    losses, parameters = trained(blocks, from_states)
    expected_losses, expected = trained(whole.top(2), whole)
    assert parameters.keys() == expected.keys()
    assert not any(
        torch.equal(value, dict(build_last_blocks(folder).named_parameters())[name])
        for name, value in parameters.items()
        if "k_proj.bias" not in name and "key.bias" not in name  # it has no effect on attention
    )
    assert np.abs(np.subtract(losses, expected_losses)).max() < tolerance * max(losses)
    # An Adam step is as large for the smallest gradient as for the largest: compare what is made.
    with torch.inference_mode():
        items = torch.arange(1, len(ITEMS) + 1)
        (found, mask), (wanted, _) = from_states(items), whole(items)
    assert (found - wanted)[mask].abs().max() < tolerance * wanted[mask].abs().max()


def test_a_step_from_states_is_faster_than_one_through_the_whole_encoder(tmp_path: Path) -> None:
    model = checkpoints.write_checkpoint("deep_bert", tmp_path / "deep")
    extractor = build_text_tokens(text_params(model, below_last=2))
    folder = embed_case(extractor, Case("text", "bert"), tmp_path / "f")
    table = load_token_table(folder, worlds.items(ITEMS))
    blocks, whole = build_last_blocks(folder), WholeEncoder(model, extractor)
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
