"""Simulated users and contents in; what MMSR's step is measured on out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.mmsr_encoders import (
    build_encoder,
    draw_contents,
    in_two,
    states_of,
)
from benchmarks.sequence_runs import catalogue
from mmrec.data.batches import Batch
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.features.token_table import TokenTable
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.items.encoder import ItemEncoder
from mmrec.models.mmsr.build import build_recommender, build_training
from mmrec.params.models.mmsr import (
    MergeAttentionFusion,
    MmsrArchitecture,
    MmsrParams,
    MmsrTraining,
    SasrecEncoder,
)
from mmrec.params.training import Modality

Precision = Literal["float32", "float16"]
MODALITIES: tuple[Modality, ...] = ("text", "image")
WINDOW = 20
"""Targets of a user, as published."""
SEED = 1
"""Before each step: all of them draw the same negatives, and so encode the same items."""


@dataclass(frozen=True)
class Case:
    """What is measured; the defaults are a RoBERTa-base and a CLIP ViT-B/32, and few users."""

    users: int = 4
    items: int = 10_000
    width: int = 768
    layers: int = 12
    heads: int = 12
    tokens: int = 50
    patch: int = 32

    def params(self, architecture: MmsrArchitecture | None = None) -> MmsrParams:
        """As published: the top two blocks of both, merge attention, SASRec, BCE."""
        return MmsrParams(
            name="mmsr",
            architecture=architecture or self.architecture(),
            pretrain=None,
            finetune=MmsrTraining(batch_size=self.users * WINDOW),
        )

    def architecture(self, **changes: Any) -> MmsrArchitecture:
        """The published one, but for these fields."""
        fusion = MergeAttentionFusion(name="merge_attention", num_heads=self.heads)
        published = {
            "embedding_dim": self.width,
            "fusion": fusion,
            "encoder": SasrecEncoder(name="sasrec"),
            "max_sequence_length": WINDOW,
        }
        return MmsrArchitecture(**{**published, **changes})

    def sequences(self) -> Sequences:
        """Of whole windows and what is held out, of items in a long tail."""
        generator = np.random.default_rng(1)
        weights = 1 / np.arange(10, self.items + 10) ** 0.8
        draw = partial(generator.choice, self.items, replace=False, p=weights / weights.sum())
        drawn = (np.asarray(draw(WINDOW + 3)) + 1 for _ in range(self.users))
        return Sequences.from_lists([items.tolist() for items in drawn])


class World(NamedTuple):
    """What both forms train on.

    Only items that the batch asks for have contents and states: those of others are not read.
    """

    case: Case
    batch: Batch
    data: ModelData
    encoders: Mapping[Modality, Any]
    contents: Mapping[Modality, Tensor]
    place: Tensor  # [N] of an item's content
    states: Mapping[Modality, Tensor]

    @property
    def distinct_items(self) -> int:
        """That a step encodes."""
        return len(self.contents["text"])

    @classmethod
    def of(cls, case: Case) -> World:
        """Draw users, weights and contents; lead contents through the lower blocks."""
        data = replace(catalogue(case.items + 1), sequences=case.sequences())
        batch, items = asked_for(case, data)
        place = torch.zeros(case.items + 1, dtype=torch.int64)
        place[items] = torch.arange(len(items))
        counts = torch.zeros_like(place).index_fill(0, items, 1)
        encoders, contents, states = {}, {}, {}
        for number, modality in enumerate(MODALITIES):
            torch.manual_seed(number)
            encoders[modality] = build_encoder(
                modality,
                width=case.width,
                layers=case.layers,
                heads=case.heads,
                tokens=case.tokens,
                patch=case.patch,
            )
            contents[modality] = draw_contents(
                modality, encoders[modality], len(items), case.tokens
            )
            below, _ = in_two(encoders[modality])
            states[modality] = states_of(below, contents[modality])
        data = replace(data, training_counts=counts)
        return cls(case, batch, data, encoders, contents, place, states)

    def kept(self, precision: Precision) -> ModelData:
        """The states as features keep them."""
        counts = self.data.training_counts
        features = {}
        for modality in MODALITIES:
            states = self.states[modality]
            table = TokenTable(
                states.flatten(0, 1).to(getattr(torch, precision)),
                offsets_of(torch.full([len(states)], states.shape[1])),
                torch.arange(len(states)),
                offsets_of(counts),
                f"{modality} {precision}",
            )
            features[modality] = feature(table, in_two(self.encoders[modality])[1])
        return replace(self.data, features=features)


def feature(table: TokenTable, last_blocks: nn.Module) -> Feature:
    """One of token states that enter blocks."""
    return Feature(_no_vectors, lambda: table, lambda: last_blocks, lambda: "tokens", lambda: True)


def _no_vectors() -> Any:
    raise ValueError("the feature is one of token states")


def asked_for(case: Case, data: ModelData) -> tuple[Batch, Tensor]:
    """The batch that is stepped on, and the items that a step encodes; sorted."""
    params = case.params(case.architecture(modality="ids"))
    model = build_recommender(params, data, "finetune")
    noted = _Noted(model.item_encoder)
    model.item_encoder = noted
    training = build_training(params, model, data, run())
    batch = next(iter(training.batches.epoch(1)))
    assert isinstance(batch, Batch)
    torch.manual_seed(SEED)
    training.objective(batch)
    return batch, torch.cat(noted.asked)


def run() -> TrainingRun:
    """The training that is measured."""
    return TrainingRun("finetune", seed=1, mask_history=False)


class _Noted(ItemEncoder):
    """Notes which items it is asked for."""

    def __init__(self, encoder: ItemEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.asked: list[Tensor] = []

    def encode(self, items: Tensor) -> Tensor:
        self.asked.append(items)
        return self.encoder.encode(items)

    def encode_all(self) -> Tensor:
        return self.encoder.encode_all()
