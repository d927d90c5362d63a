"""A catalogue and a log of any size, simulated; the model and the loss to train on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.sequence_runs import build as build_next_item
from benchmarks.sequence_runs import catalogue
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.features.table import FeatureTable
from mmrec.params.models.mp4sr import Mp4srArchitecture, Mp4srFinetune, Mp4srParams
from mmrec.params.models.sasrec import SasrecArchitecture, SasrecParams
from mmrec.params.next_item import NextItemFinetune
from mmrec.params.training import FullLoss, InBatchLoss, NextItemLossParams, SampledLoss
from mmrec.recommender import Objective

LENGTH = 50
FEATURE_DIM = 384


@dataclass(frozen=True)
class Case:
    """One training."""

    model: str
    loss: str
    num_items: int
    num_users: int
    interactions_per_user: int
    batch_size: int
    num_negatives: int
    validation_users: int
    max_steps: int


def simulate(*, num_users: int, num_items: int, interactions_per_user: int) -> Sequences:
    """Sequences of geometric length, at least 4; items popular by a power law."""
    generator = np.random.default_rng(1)
    lengths = 3 + generator.geometric(1 / (interactions_per_user - 3), size=num_users)
    shares = np.cumsum(1 / np.arange(10, num_items + 10) ** 0.8)
    draws = generator.random(int(lengths.sum())) * shares[-1]
    # Popular items lie anywhere in the table, as in a catalogue in order of its ids.
    names = generator.permutation(num_items).astype(np.int32) + 1
    items = names[np.searchsorted(shares, draws).clip(max=num_items - 1)]
    whole = Sequences(torch.from_numpy(items), offsets_of(torch.from_numpy(lengths)))
    return whole.leaving_one_out()


def features(num_items: int, folder: Path) -> FeatureTable:
    """One float16 vector per item in a memory-mapped file, written in chunks."""
    path = folder / "features.npy"
    shape = (num_items, FEATURE_DIM)
    written = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
    generator = np.random.default_rng(2)
    for start in range(0, num_items, 65_536):
        part = written[start : start + 65_536]
        part[:] = generator.standard_normal(part.shape, dtype=np.float32) / FEATURE_DIM**0.5
    written.flush()
    del written
    vectors = torch.from_numpy(np.load(path, mmap_mode="c"))
    counts = torch.cat([torch.zeros(1, dtype=torch.int64), torch.ones(num_items).long()])
    return FeatureTable(vectors, offsets_of(counts))


def settings(case: Case) -> SasrecParams | Mp4srParams:
    """Params of the model, of the pipeline's own kind; SASRec is of IDs, MP4SR of text alone."""
    losses: dict[str, NextItemLossParams] = {
        "full": FullLoss(name="full"),
        "sampled": SampledLoss(name="sampled", num_negatives=case.num_negatives),
        "in_batch": InBatchLoss(name="in_batch"),
    }
    loss = losses[case.loss]
    if case.model == "sasrec":
        return SasrecParams(
            name="sasrec",
            architecture=SasrecArchitecture(max_sequence_length=LENGTH),
            pretrain=None,
            finetune=NextItemFinetune(epochs=1, batch_size=case.batch_size, loss=loss),
        )
    return Mp4srParams(
        name="mp4sr",
        architecture=Mp4srArchitecture(max_sequence_length=LENGTH),
        pretrain=None,
        finetune=Mp4srFinetune(
            epochs=1, batch_size=case.batch_size, loss=loss, use_id=False, score_branches="text"
        ),
    )


def build(
    case: Case, params: SasrecParams | Mp4srParams, counts: Tensor, folder: Path
) -> Objective:
    """The model over a simulated catalogue, with fresh weights, and its loss."""
    text = features(case.num_items, folder) if case.model == "mp4sr" else None
    return build_next_item(
        params, replace(catalogue(case.num_items + 1, text), training_counts=counts)
    )
