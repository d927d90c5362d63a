"""Simulated users and token states in; what PMMRec's pre-training step is measured on out."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.mmsr_encoders import build_encoder, in_two
from benchmarks.mmsr_world import feature
from benchmarks.sequence_runs import catalogue
from benchmarks.straightforward_pmmrec_network import MODALITIES, Contents
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.features.extractors.last_blocks import LastBlocks
from mmrec.features.token_table import TokenTable
from mmrec.models.data import ModelData, TrainingRun
from mmrec.nn.merge_attention import Readout
from mmrec.params.models.pmmrec import (
    PmmrecArchitecture,
    PmmrecFinetune,
    PmmrecFusion,
    PmmrecLosses,
    PmmrecParams,
    PmmrecPretrain,
)
from mmrec.params.training import Modality

WINDOW = 20
"""Items that are read of a user; one more is a target alone."""
HELD_OUT = 2
FEWEST = 5
"""Events of a user, as published."""


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        users: of the batch.
        events: of a user in the mean, what is held out among them; None where all have whole
            windows. The four published sources together have 11.6.
        items: that users choose among, in a long tail.
        width: of a state and of the model.
        heads: of the encoders and of the fusion.
        tokens: of a picture, and of the longest text.
        shortest: tokens of the shortest text; all lengths are as likely.
        lacking: share of the items without text, and of those without picture.
        readout: of the fusion.
        losses: settings of them that are not the published ones.
    """

    users: int = 64
    events: float | None = 11.6
    items: int = 44_887
    width: int = 256
    heads: int = 4
    tokens: int = 50
    shortest: int = 10
    lacking: float = 0.0
    readout: Readout = "cls"
    losses: Mapping[str, Any] = field(default_factory=dict)

    def params(self) -> PmmrecParams:
        """As published: the top two blocks of both, all four losses."""
        return PmmrecParams(
            name="pmmrec",
            architecture=PmmrecArchitecture(
                embedding_dim=self.width,
                fusion=PmmrecFusion(num_heads=self.heads, readout=self.readout),
            ),
            pretrain=PmmrecPretrain(
                batch_size=self.users * WINDOW, losses=PmmrecLosses(**self.losses)
            ),
            finetune=PmmrecFinetune(),
        )

    def sequences(self) -> Sequences:
        """Latest windows and what is held out, of items that are numbered by first appearance.

        Items that no window has are not there: a step does not read them.
        """
        generator = np.random.default_rng(1)
        weights = 1 / np.arange(10, self.items + 10) ** 0.8
        weights /= weights.sum()
        numbers: dict[int, int] = {}
        rows = []
        for _ in range(self.users):
            drawn = generator.choice(self.items, self._length(generator), replace=False, p=weights)
            rows.append([numbers.setdefault(item, len(numbers) + 1) for item in drawn.tolist()])
        return Sequences.from_lists(rows)

    def _length(self, generator: np.random.Generator) -> int:
        longest = WINDOW + 1 + HELD_OUT
        if self.events is None:
            return longest
        more = int(generator.geometric(1 / (self.events - FEWEST + 1))) - 1
        return min(longest, FEWEST + more)


class World(NamedTuple):
    """What both forms train on."""

    case: Case
    data: ModelData
    tables: Mapping[Modality, TokenTable]
    contents: Mapping[Modality, Contents]
    blocks: Mapping[Modality, LastBlocks]

    @classmethod
    def of(cls, case: Case) -> World:
        """Draw users, states that enter the last blocks, and these."""
        sequences = case.sequences()
        num_items = int(sequences.items.max()) + 1
        data = replace(
            catalogue(num_items),
            sequences=sequences,
            training_counts=torch.bincount(sequences.items, minlength=num_items),
        )
        tables, contents = {}, {}
        generator = torch.Generator().manual_seed(1)
        for modality in MODALITIES:
            lengths = _lengths(case, modality, num_items, generator)
            values = torch.randn(int(lengths.sum()), case.width, generator=generator)
            tables[modality] = _table(values, lengths, modality)
            contents[modality] = _padded(values, lengths)
        blocks = {name: last_blocks(case, name) for name in MODALITIES}
        return cls(case, data, tables, contents, blocks)

    def catalogue(self) -> ModelData:
        """What a model is built of, with blocks of its own."""
        features = {
            name: feature(self.tables[name], deepcopy(self.blocks[name])) for name in MODALITIES
        }
        return replace(self.data, features=features)


def _lengths(case: Case, modality: Modality, num_items: int, generator: torch.Generator) -> Tensor:
    """Tokens of each item, 0 where it has no content; [N]."""
    shortest = case.shortest if modality == "text" else case.tokens
    lengths = torch.randint(shortest, case.tokens + 1, (num_items,), generator=generator)
    lengths[torch.rand(num_items, generator=generator) < case.lacking] = 0
    lengths[0] = 0
    return lengths


def _table(values: Tensor, lengths: Tensor, modality: Modality) -> TokenTable:
    has = lengths > 0
    contents = torch.arange(int(has.sum()))
    return TokenTable(values, offsets_of(lengths[has]), contents, offsets_of(has.long()), modality)


def _padded(values: Tensor, lengths: Tensor) -> Contents:
    real = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # [N, P]
    states = values.new_zeros(*real.shape, values.shape[1])
    states[real] = values
    return Contents(states, real)


def last_blocks(case: Case, modality: Modality) -> LastBlocks:
    """The top two blocks of a RoBERTa or a CLIP ViT, with random weights."""
    torch.manual_seed(MODALITIES.index(modality))
    encoder = build_encoder(
        modality, width=case.width, layers=2, heads=case.heads, tokens=case.tokens, patch=4
    )
    return in_two(encoder)[1]


def run() -> TrainingRun:
    """The training that is measured."""
    return TrainingRun("pretrain", seed=1, mask_history=False)
