"""MovieLens 1M with sentences and keyword sentences in; both forms of MP4SR's fine-tuning out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch

from benchmarks.straightforward_mp4sr import StraightforwardMp4sr
from mmrec.data.batches import Batch, TrainingBatches
from mmrec.data.split import training_part
from mmrec.dataset_paths import DatasetPaths
from mmrec.models.data import ModelData, load_model_data
from mmrec.models.mp4sr.model import Mp4sr
from mmrec.models.next_item import TrainingBatch
from mmrec.models.next_item_training import next_item_objective
from mmrec.models.registry import system_of
from mmrec.params.models.mp4sr import Mp4srArchitecture, Mp4srFinetune, Mp4srParams
from mmrec.recommender import Objective
from mmrec.study.workspace import PROJECT, make_workspace, repro

WORKSPACE = PROJECT / ".mmrec" / "workspaces" / "mp4sr-epoch"
EXAMPLE = PROJECT / "examples" / "movielens-1m.yaml"
KEYWORDS = {
    "model: ViT-B-32": "model: mmrec/demo/clip",
    "pretrained: laion2b_s34b_b79k": "pretrained: null",
    'prompt: "a photo of {}"': 'prompt: "{}"',
    "{name: clip_vocabulary, min_length: 3}": "{name: catalogue, num_words: 2000, min_length: 3}",
}
"""The example's keywords from the small CLIP of the demo: no network, and the same sizes."""
FEATURES = ("ml-1m-sentences", "ml-1m-keyword_sentences")


def params() -> Mp4srParams:
    """The defaults: the paper's sizes, fine-tuning from fresh weights."""
    return Mp4srParams(
        name="mp4sr", architecture=Mp4srArchitecture(), pretrain=None, finetune=Mp4srFinetune()
    )


def make_features(source: Path) -> None:
    """Run the pipeline up to the features; a second call finds them."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for own, small in KEYWORDS.items():
        if own not in text:
            raise ValueError(f"{EXAMPLE} has no '{own}' to replace")
        text = text.replace(own, small)
    folder = make_workspace(WORKSPACE, text, {"ml-1m": source})
    repro(folder, *(f"embed_text@{name}" for name in FEATURES))


def data() -> ModelData:
    """Items, sequences and both features."""
    dataset = DatasetPaths(WORKSPACE / "data" / "datasets" / "ml-1m")
    return load_model_data(dataset, text="sentences", image="keyword_sentences")


def batches(
    read: ModelData, batching: str, overlap: int | None = None, seed: int = 1
) -> TrainingBatches:
    """Batches of 1,024 targets."""
    own = params()
    return TrainingBatches(
        training_part(read.sequences),
        batching="dense" if batching == "dense" else "prefix",
        max_sequence_length=own.architecture.max_sequence_length,
        window_overlap=overlap,
        batch_size=own.finetune.batch_size,
        seed=seed,
    )


def endless(source: TrainingBatches) -> Iterator[Batch]:
    """Epoch after epoch."""
    for epoch in count(1):
        yield from source.epoch(epoch)


def ours(read: ModelData, seed: int = 1) -> Objective:
    """The objective that the pipeline trains, with fresh weights."""
    torch.manual_seed(seed)
    model = system_of(params()).build_recommender(params(), read, "finetune")
    assert isinstance(model, Mp4sr)
    return next_item_objective(model, params().finetune, read.training_counts)


def straightforward(read: ModelData, seed: int = 1) -> StraightforwardMp4sr:
    """The straightforward form with the same fresh weights, rows padded to the maximum length."""
    model = ours(read, seed).recommender
    assert isinstance(model, Mp4sr)
    length = params().architecture.max_sequence_length
    return StraightforwardMp4sr(model, padded_to=length)


class Stepper:
    """Optimiser steps on an objective, as the trainer makes them."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective.train()
        settings = params().finetune
        self._parameters = [p for p in objective.parameters() if p.requires_grad]
        assert settings.max_grad_norm is not None
        self._max_grad_norm = settings.max_grad_norm
        self._optimizer = torch.optim.Adam(
            self._parameters,
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def step(self, batch: TrainingBatch) -> int:
        """One step; returns its number of targets."""
        self._optimizer.zero_grad(set_to_none=True)
        loss = torch.stack(list(self.objective(batch).values())).sum()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)
        self._optimizer.step()
        return int((batch.targets != 0).sum())
