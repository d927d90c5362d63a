"""PMMRec's pre-training step in two forms, ready to be made."""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.pmmrec_world import WINDOW, World, run
from benchmarks.straightforward_mmsrec import left_padded
from benchmarks.straightforward_pmmrec import StraightforwardPmmrec
from benchmarks.straightforward_pmmrec_network import (
    MODALITIES,
    Settings,
    StraightforwardNetwork,
)
from mmrec.data.batches import Batch
from mmrec.models.in_batch_sequences import SequencesOfBatch
from mmrec.models.next_item import Samples
from mmrec.models.pmmrec.build import build_recommender, build_training
from mmrec.models.pmmrec.corruption import Draws, corrupt
from mmrec.models.pmmrec.model import Pmmrec
from mmrec.models.pmmrec.pretraining import PmmrecObjective
from mmrec.training.optimizer import build_optimizer

FormName = Literal["mmrec", "recomputed", "straightforward"]
FORMS: tuple[FormName, ...] = ("mmrec", "recomputed", "straightforward")
SEED = 1
"""Before each step: the forms corrupt the same rows alike."""


class Form:
    """The losses on a model's parameters, and the optimiser's steps on them.

    Args:
        name: `mmrec` keeps everything for its gradients, `recomputed` what it does on a CPU.
        world: what is trained on.
        drop: with dropout as in training, or without any.
        precision: of weights and of what is computed.
    """

    def __init__(
        self,
        name: FormName,
        world: World,
        *,
        drop: bool,
        precision: torch.dtype = torch.float32,
    ) -> None:
        params = world.case.params()
        assert params.pretrain is not None
        torch.manual_seed(1)
        data = world.catalogue()
        self.model: Pmmrec = build_recommender(params, data, "pretrain")
        training = build_training(params, self.model, data, run())
        assert isinstance(training.objective, PmmrecObjective)
        self.objective = training.objective.train(drop).to(precision)
        (batch,) = training.batches.epoch(1)
        assert isinstance(batch, Batch)
        self.batch = batch
        if name == "mmrec":
            self.model.item_encoder.items_kept = self.model.num_items
        self._straightforward = None
        if name == "straightforward":
            self._straightforward = straightforward(self.objective, world, drop=drop)
        self._optimizer = build_optimizer(self.objective, params.pretrain, stage="pretrain")

    def losses(self) -> dict[str, Tensor]:
        """Of the batch, with their graph."""
        torch.manual_seed(SEED)
        if self._straightforward is None:
            found: dict[str, Tensor] = self.objective(self.batch)
            return found
        return self._straightforward.losses(*padded_rows(self.batch, self.model.num_items))

    def step(self) -> None:
        """One step as the trainer makes it."""
        self._optimizer.zero_grad(set_to_none=True)
        self.backward()
        self._optimizer.step()

    def backward(self) -> None:
        """Gradients of the batch's losses together."""
        torch.autograd.backward(torch.stack(list(self.losses().values())).sum())

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained."""
        named = self.objective.named_parameters()
        return {name: value for name, value in named if value.requires_grad}

    @property
    def sizes(self) -> dict[str, int]:
        """Slots of the batch, those with an item, and distinct items."""
        windows, _, _ = padded_rows(self.batch, self.model.num_items)
        real = windows[windows > 0]
        return {
            "slots": windows.numel(),
            "real_slots": real.numel(),
            "distinct_items": len(torch.unique(real)),
        }


def straightforward(
    objective: PmmrecObjective, world: World, *, drop: bool
) -> StraightforwardPmmrec:
    """The other form of the same weights."""
    model = objective.recommender
    architecture = world.case.params().architecture
    weights: dict[str, Tensor] = dict(model.named_parameters())
    assert objective.nid is not None
    weights |= {f"detection.{name}": value for name, value in objective.nid.named_parameters()}
    blocks: dict[Any, Any] = {
        name: model.item_encoder.get_submodule(f"{name}.last_blocks") for name in MODALITIES
    }
    settings = Settings(
        user_heads=architecture.encoder.num_heads,
        fusion_heads=architecture.fusion.num_heads,
        readout=architecture.fusion.readout,
        correction=objective.dap.correction,
        contrast="nicl" if objective.contrast == "none" else objective.contrast,
        denominator=objective.denominator,
        temperature=objective.temperature,
        nid_relu=objective.nid.relu,
        rcl=objective.rcl,
        rcl_temperature=objective.rcl_temperature,
        dropout=architecture.fusion.dropout if drop else 0.0,
    )
    dtype = objective.nid.output.weight.dtype
    contents = {
        name: one._replace(states=one.states.to(dtype)) for name, one in world.contents.items()
    }
    network = StraightforwardNetwork(weights, blocks, contents, settings)
    return StraightforwardPmmrec(network, objective.dap.shares)


def padded_rows(batch: Batch, num_items: int) -> tuple[Tensor, Tensor, Tensor]:
    """Windows [B, L + 1] of a batch, its corrupted rows and their labels [B, L], left-padded."""
    samples = Samples.of(batch)
    sequences = SequencesOfBatch.of(samples, num_items=num_items)
    items, labels = corrupt(batch.items, sequences, Draws.of(batch.items, sequences))
    lengths = (batch.items != 0).sum(dim=1)
    missing = WINDOW - items.shape[1]
    rows = (
        left_padded(sequences.sequences, lengths + 1),
        left_padded(items, lengths),
        left_padded(labels, lengths),
    )
    windows, corrupted, of = (F.pad(one, (missing, 0)) for one in rows)
    return windows, corrupted, of
