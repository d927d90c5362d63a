"""Sequences and simulated features in; both forms of MMSRec's fine-tuning out, ready to step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.sequence_epoch import EVERYTHING
from benchmarks.sequence_runs import catalogue, read
from benchmarks.simulated import write_sequences
from benchmarks.straightforward_mmsrec import Catalogue, Settings, StraightforwardMmsrec
from mmrec.data.batches import Batch
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.mmsrec.build import build_recommender, build_training
from mmrec.params.models.mmsrec import MmsrecArchitecture, MmsrecFinetune, MmsrecParams
from mmrec.params.training import Modality
from mmrec.training.optimizer import build_optimizer

FEATURE_DIM = 512
"""Of CLIP ViT-B/32, as published."""


@dataclass(frozen=True)
class Case:
    """What is measured."""

    sequences: str | None
    num_items: int
    pictures: float
    embedding_dim: int
    batch_size: int

    def params(self) -> MmsrecParams:
        """The published sizes, but for the width and the batch."""
        return MmsrecParams(
            name="mmsrec",
            architecture=MmsrecArchitecture(
                embedding_dim=self.embedding_dim, feedforward_dim=2 * self.embedding_dim
            ),
            pretrain=None,
            finetune=MmsrecFinetune(
                batch_size=self.batch_size, modality="both" if self.pictures else "text"
            ),
        )

    def data(self) -> ModelData:
        """The file's users or as many as Amazon Beauty has, and vectors that mean nothing."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(self.sequences or Path(folder, "sequences.txt"))
            if self.sequences is None:
                write_sequences(file, num_users=22_332, num_items=self.num_items)
            sequences = Sequences.from_table(read(file, EVERYTHING).sequences)
        found = catalogue(int(sequences.items.max()) + 1)
        tables: dict[Modality, FeatureTable] = {
            "text": vectors(found.num_items, 1.0, seed=1),
            "image": vectors(found.num_items, self.pictures, seed=2),
        }
        features = {name: Feature(partial(_itself, table)) for name, table in tables.items()}
        return replace(found, sequences=sequences, features=features)


def vectors(num_items: int, share: float, *, seed: int) -> FeatureTable:
    """A vector in half precision for this share of the items."""
    generator = torch.Generator().manual_seed(seed)
    has = torch.rand(num_items, generator=generator) < share
    has[0] = False
    values = torch.randn(int(has.sum()), FEATURE_DIM, generator=generator)
    return FeatureTable((values / FEATURE_DIM**0.5).half(), offsets_of(has.long()))


def _itself(table: FeatureTable) -> FeatureTable:
    return table


class Form:
    """A loss on a model's parameters, and the optimiser's steps on them.

    Args:
        name: `mmrec` or `straightforward`.
        case: what is measured.
        data: of the case.
        drop: with dropout as in training, or without any.
        precision: of the parameters.
    """

    def __init__(
        self,
        name: str,
        case: Case,
        data: ModelData,
        *,
        drop: bool,
        precision: torch.dtype = torch.float32,
    ) -> None:
        params = case.params()
        torch.manual_seed(1)
        model = build_recommender(params, data, "finetune")
        run = TrainingRun("finetune", seed=1, mask_history=False)
        training = build_training(params, model, data, run)
        self.model = model
        self.batches = training.batches
        self.objective = training.objective.to(precision).train(drop)
        self.parameters = dict(model.named_parameters())
        self._slow = (
            straightforward(params, self.parameters, data, drop=drop)
            if name == "straightforward"
            else None
        )
        self._settings = params.finetune
        self._optimizer = build_optimizer(self.objective, params.finetune, stage="finetune")

    def loss(self, batch: Batch) -> Tensor:
        """Of a batch, with its graph."""
        if self._slow is None:
            return torch.stack(list(self.objective(batch).values())).sum()
        return self._slow.loss(batch.items, batch.targets)

    def step(self, batch: Batch) -> None:
        """One step as the trainer makes it."""
        self.backward(batch)
        self.update()

    def backward(self, batch: Batch) -> None:
        """Gradients of a batch's loss, and no others."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.loss(batch))

    def update(self) -> None:
        """Clip the gradients and move the parameters."""
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self._settings.max_grad_norm)
        self._optimizer.step()

    def endless(self) -> Iterator[Batch]:
        """Batches, epoch after epoch."""
        for epoch in count(1):
            for batch in self.batches.epoch(epoch):
                assert isinstance(batch, Batch)
                yield batch


def straightforward(
    params: MmsrecParams, weights: Mapping[str, Tensor], data: ModelData, *, drop: bool
) -> StraightforwardMmsrec:
    """The form one writes down first, with these weights."""
    architecture = params.architecture
    tables = {name: data.features[name].vectors for name in params.modalities("finetune")}
    settings = Settings(
        num_heads=architecture.num_heads,
        temperature=architecture.temperature,
        missing=architecture.missing,
        padded_to=architecture.max_sequence_length if architecture.pad_to == "N" else None,
        item_tower_position=architecture.item_tower_position == "first",
        item_head=architecture.item_head,
        input_dropout=architecture.input_dropout if drop else 0.0,
        dropout=architecture.dropout if drop else 0.0,
        attention_dropout=architecture.attention_dropout if drop else 0.0,
    )
    return StraightforwardMmsrec(weights, Catalogue.of(tables, data.num_items), settings)
