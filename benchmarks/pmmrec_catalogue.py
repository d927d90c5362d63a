"""A large simulated catalogue of token states on disk; PMMRec's pre-training over it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from benchmarks import pmmrec_world, simulated_catalogue
from benchmarks.simulated_tokens import item_ids, write_tokens
from mmrec.data.sequences import Sequences
from mmrec.data.split import training_part
from mmrec.features.token_table import PackedTokens, TokenTable, load_token_table
from mmrec.models.data import Feature, ModelData
from mmrec.params.models.pmmrec import (
    PmmrecArchitecture,
    PmmrecFinetune,
    PmmrecFusion,
    PmmrecParams,
    PmmrecPretrain,
)
from mmrec.params.training import Modality
from mmrec.params.tuning import Tune

MODALITIES: tuple[Modality, ...] = ("text", "image")
EVENTS = 12
"""Of a user in the mean; the four published sources together have 11.6."""


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        items: of the catalogue.
        interactions: of all users together, about.
        width: of a state.
        tokens: of a picture, and of the longest text; the shortest has a quarter.
        dim: width of the model.
        heads: of the fusion, and of the blocks where these are trained.
        tune: `none` reads final states, `top2` trains two blocks that they enter (`dim` is `width`
            as published, or not).
        batch_size: targets of a step.
        validation_users: who are ranked after the epoch.
        max_steps: the epoch is cut after so many; 0 for a whole one.
    """

    items: int
    interactions: int
    width: int
    tokens: int
    dim: int
    heads: int
    tune: Tune
    batch_size: int
    validation_users: int
    max_steps: int

    def params(self) -> PmmrecParams:
        """All four losses, as published but for the sizes."""
        return PmmrecParams(
            name="pmmrec",
            architecture=PmmrecArchitecture(
                embedding_dim=self.dim,
                tune=self.tune,
                fusion=PmmrecFusion(num_heads=self.heads, feedforward_dim=4 * self.dim),
            ),
            pretrain=PmmrecPretrain(
                batch_size=self.batch_size,
                epochs=1,
                patience=1,
                validation_users=self.validation_users,
            ),
            finetune=PmmrecFinetune(),
        )

    def write(self, folder: Path) -> dict[str, int]:
        """Write the features of the catalogue; returns the tokens of each."""
        shortest = {"text": max(2, self.tokens // 4), "image": self.tokens}
        return {
            name: write_tokens(
                folder / name,
                self.items,
                width=self.width,
                shortest=shortest[name],
                longest=self.tokens,
                seed=seed,
            )
            for seed, name in enumerate(MODALITIES)
        }

    def sequences(self) -> Sequences:
        """Of geometric length, of items in a long tail."""
        return simulated_catalogue.simulate(
            num_users=max(1, self.interactions // EVENTS),
            num_items=self.items,
            interactions_per_user=EVENTS,
        )

    def last_blocks(self, modality: Modality) -> nn.Module:
        """Two of an encoder with random weights."""
        encoders = pmmrec_world.Case(width=self.width, heads=self.heads, tokens=self.tokens)
        return pmmrec_world.last_blocks(encoders, modality)


class TimedTokens(TokenTable):
    """Token states of which it is noted how long a training waits for them."""

    seconds = 0.0

    def gather(self, item_indices: Tensor) -> PackedTokens:
        """The tokens of some items."""
        started = time.perf_counter()
        found = super().gather(item_indices)
        TimedTokens.seconds += time.perf_counter() - started
        return found


def read(case: Case, folder: Path) -> ModelData:
    """The catalogue from its files, by the code of the pipeline, and its users."""
    items = pa.table(
        {"item_id": item_ids(case.items), "item_index": np.arange(1, case.items + 1, dtype="i4")}
    )
    sequences = case.sequences()
    trained = training_part(sequences).items
    return ModelData(
        items=items,
        sequences=sequences,
        features={name: _feature(case, name, folder / name, items) for name in MODALITIES},
        training_counts=torch.bincount(trained, minlength=case.items + 1),
        is_cold=torch.zeros(case.items + 1, dtype=torch.bool),
    )


def _feature(case: Case, modality: Modality, folder: Path, items: pa.Table) -> Feature:
    table = TimedTokens(**vars(load_token_table(folder, items)))
    return Feature(
        _no_vectors,
        lambda: table,
        lambda: case.last_blocks(modality),
        lambda: "tokens",
        lambda: case.tune != "none",
    )


def _no_vectors() -> NoReturn:
    raise ValueError("the feature is one of token states")
