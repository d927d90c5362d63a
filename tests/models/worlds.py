"""Small catalogues, params and batches for the tests of models."""

from __future__ import annotations

from typing import NamedTuple, get_args

import torch
from pydantic import TypeAdapter

from mmrec.features.table import FeatureTable
from mmrec.params.models import ModelParams

NUM_ITEMS = 13  # padding included
TINY = {
    "embedding_dim": 8,
    "num_layers": 2,
    "num_heads": 2,
    "feedforward_dim": 16,
    "max_sequence_length": 10,
}
TINY_MP4SR = TINY | {"attention_dim": 4, "num_experts": 3}
SMALLEST = {
    "mp4sr": {
        "architecture": TINY_MP4SR,
        "pretrain": {"epochs": 1, "patience": 1},
        "finetune": {"epochs": 1, "patience": 1},
    },
    "sasrec": {"architecture": TINY, "pretrain": None, "finetune": {"epochs": 1, "patience": 1}},
    "gru4rec": {
        "architecture": {"embedding_dim": 8, "hidden_dim": 6, "max_sequence_length": 10},
        "pretrain": None,
        "finetune": {"epochs": 1, "patience": 1},
    },
    "popularity": {"architecture": {}, "pretrain": None, "finetune": None},
}


class Batch(NamedTuple):
    """What objectives read of a batch."""

    items: torch.Tensor
    targets: torch.Tensor


def model_names():
    """Names of all models there are, from the params union itself."""
    members = get_args(get_args(ModelParams)[0])
    return [member.model_fields["name"].annotation.__args__[0] for member in members]


def params(name, **changes):
    """Smallest params of a model; `changes` update or remove its sections."""
    sections = dict(SMALLEST[name])
    for section, values in changes.items():
        sections[section] = None if values is None else SMALLEST[name][section] | values
    return TypeAdapter(ModelParams).validate_python({"name": name} | sections)


def table(rows_per_item, dim, seed=0):
    """Random features; item 0 is padding and has no row."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.tensor([0, *rows_per_item])
    vectors = torch.randn(int(counts.sum()), dim, generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return FeatureTable(torch.nn.functional.normalize(vectors, dim=1).half(), offsets)


def text_table():
    """Text of all items but 3 and 7."""
    return table([2, 1, 0, 4, 2, 1, 0, 3, 1, 2, 2, 1], dim=6, seed=1)


def image_table():
    """Pictures of all items but 5 and 7."""
    return table([1, 1, 2, 1, 0, 3, 0, 1, 1, 2, 1, 1], dim=9, seed=2)


def no_table():
    """A modality the run does not have."""
    return FeatureTable(torch.zeros(0, 0).half(), torch.zeros(NUM_ITEMS + 1, dtype=torch.int64))


def sequences(lengths, seed=0):
    """Random histories, right padded."""
    generator = torch.Generator().manual_seed(seed)
    items = torch.randint(1, NUM_ITEMS, (len(lengths), max(lengths)), generator=generator)
    real = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    return torch.where(real, items, 0)


def dense_batch(whole):
    """Train on every position of whole sequences [B, L + 1] that has a next item."""
    items, targets = whole[:, :-1], whole[:, 1:]
    return Batch(torch.where(targets != 0, items, 0), targets)


def prefix_batch(whole):
    """The same samples as `dense_batch`, one row each."""
    batch = dense_batch(whole)
    rows, columns = batch.targets.nonzero(as_tuple=True)
    before = torch.arange(batch.items.shape[1]) <= columns.unsqueeze(1)
    last = torch.arange(batch.items.shape[1]) == columns.unsqueeze(1)
    items = torch.where(before, batch.items[rows], 0)
    return Batch(items, torch.where(last, batch.targets[rows], 0))
