"""A model small enough to train for a few epochs in a test, with everything that can go wrong."""

from pathlib import Path

import torch
from torch import nn

from mmrec.data.batches import TrainingBatches
from mmrec.data.sequences import Sequences
from mmrec.params.optimizer import OptimizerParams
from mmrec.params.training import LoopParams
from mmrec.training.trainer import TrainingResult, train

NUM_ITEMS = 12
OPTIMIZER = OptimizerParams(learning_rate=0.01, weight_decay=1e-3)


class TinyObjective(nn.Module):
    """Predicts the next item from the last one; dropout, a buffer, a tied and an unused weight."""

    def __init__(self, seed=0, features=1.0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.embedding = nn.Embedding(NUM_ITEMS, 8)
        self.embedding.weight.data = torch.randn(NUM_ITEMS, 8, generator=generator)
        self.output = nn.Linear(8, NUM_ITEMS, bias=False)
        self.output.weight = self.embedding.weight
        self.bias = nn.Parameter(torch.zeros(NUM_ITEMS))
        self.unused = nn.Parameter(torch.ones(3))
        self.dropout = nn.Dropout(0.3)
        self.register_buffer("features", torch.full((NUM_ITEMS, 2), features), persistent=False)

    def forward(self, batch):
        states = self.dropout(self.embedding(batch.items))
        logits = self.output(states) + self.bias
        trained = batch.targets != 0
        loss = nn.functional.cross_entropy(logits[trained], batch.targets[trained])
        return {"next_item": loss, "small": 0.01 * self.embedding.weight.square().mean()}


def tiny_batches(seed=0):
    lists = [[1 + (user + step) % (NUM_ITEMS - 1) for step in range(9)] for user in range(20)]
    return TrainingBatches(
        Sequences.from_lists(lists),
        batching="dense",
        max_sequence_length=6,
        window_overlap=2,
        batch_size=16,
        seed=seed,
    )


def tiny_metrics(objective):
    """Something of the weights that moves from epoch to epoch."""
    assert not objective.training
    return {"recall@20": float(objective.bias.detach().std()), "mrr": 0.5}


def tiny_train(
    folder: Path,
    objective,
    validate=None,
    batches=None,
    *,
    optimizer=OPTIMIZER,
    seed=7,
    settings=None,
    groups=(),
    **loop,
) -> TrainingResult:
    defaults = {"epochs": 4, "patience": 10, "metric": "recall@20", "max_grad_norm": 5.0}
    return train(
        objective,
        batches or tiny_batches(),
        validate or (lambda: tiny_metrics(objective)),
        LoopParams(**{**defaults, **dict(optimizer), **loop}),
        seed=seed,
        stage="finetune",
        settings=settings or {"temperature": 0.07},
        checkpoint_dir=folder / "checkpoints",
        history_path=folder / "history.csv",
        groups=groups,
    )


def history(folder: Path) -> list[list[str]]:
    return [line.split(",") for line in (folder / "history.csv").read_text().splitlines()]


def equal_weights(first: nn.Module, second: nn.Module) -> bool:
    one, two = first.state_dict(), second.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
