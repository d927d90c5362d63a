"""Small catalogues, params and batches for the tests of models."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import pyarrow as pa
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter

from mmrec.data.item_batches import ItemBatch
from mmrec.data.sequences import Sequences
from mmrec.features.table import FeatureTable
from mmrec.models.data import Feature, ModelData, TrainingRun
from mmrec.models.in_batch_sequences import SequencesOfBatch
from mmrec.models.next_item import Samples
from mmrec.models.registry import system_of
from mmrec.nn.processes import Parts
from mmrec.params.models.registry import ModelParams
from mmrec.recommender import History
from tests.models import cases

NUM_ITEMS = 13  # padding included
INCOMPLETE = [3, 5, 7]
"""Items without text or without pictures."""
LENGTHS = [4, 9, 1, 2, 6]
HISTORIES = [[1, 2, 3, 4], [4, 5, 6, 2], [2, 6, 5]]


class Batch(NamedTuple):
    """What objectives read of a batch."""

    items: torch.Tensor
    targets: torch.Tensor


def params(name, **changes):
    """Smallest params of a model; `changes` update or remove its sections."""
    sections = cases.smallest(name)
    for section, values in changes.items():
        sections[section] = None if values is None else (sections[section] or {}) | values
    return TypeAdapter(ModelParams).validate_python(sections)


def data(
    text=None, image=None, num_items=NUM_ITEMS, training_counts=None, histories=None, words=None
):
    """A catalogue with features, or with `words` in place of a text feature, and its users."""
    tables = {"text": text or text_table(), "image": image or image_table()}
    features = {name: Feature(partial(_itself, table)) for name, table in tables.items()}
    if words is not None:
        told = {"level": partial(_itself, "words"), "words": partial(_itself, words)}
        features["text"] = Feature(partial(_itself, None), **told)
    if training_counts is None:
        training_counts = torch.arange(num_items)
    return ModelData(
        items=pa.table({"item_id": [f"i{item}" for item in range(1, num_items)]}),
        sequences=Sequences.from_lists(HISTORIES if histories is None else histories),
        features=features,
        training_counts=training_counts,
        is_cold=torch.zeros(num_items, dtype=torch.bool),
    )


def _itself(table):
    return table


def recommender(params, stage="finetune", world=None, seed=0):
    """The model with fresh weights."""
    torch.manual_seed(seed)
    return system_of(params).build_recommender(params, world or data(), stage)


def training(params, model, stage="finetune", world=None):
    """What trains a model that was built for this stage."""
    run = TrainingRun(stage, seed=0, mask_history=False)
    return system_of(params).build_training(params, model, world or data(), run)


def objective(params, model, stage="finetune", world=None):
    """A model with the losses of a stage."""
    return training(params, model, stage, world).objective


def built(params, stage="finetune", world=None):
    """Model and training, from the random state as it is."""
    model = system_of(params).build_recommender(params, world or data(), stage)
    return model, training(params, model, stage, world)


def history(items):
    """Right-padded items of users 0, 1, ..."""
    return History(torch.arange(len(items)), items)


def queries(model, items):
    """What a model retrieves by, after right-padded items."""
    return model.encode(history(items))


def scores(model, items):
    """Scores after right-padded items; padding at minus infinity."""
    found = model.scores(history(items)).clone()
    found[:, 0] = -torch.inf
    return found


def table(rows_per_item, dim, seed=0):
    """Random features; item 0 is padding and has no row."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.tensor([0, *rows_per_item])
    vectors = torch.randn(int(counts.sum()), dim, generator=generator)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return FeatureTable(torch.nn.functional.normalize(vectors, dim=1).half(), offsets)


def shuffled(given, seed):
    """The same features, each given to another item at random."""
    generator = torch.Generator().manual_seed(seed)
    givers = torch.cat(
        [torch.zeros(1).long(), torch.randperm(given.num_items - 1, generator=generator) + 1]
    )
    rows, _ = given.rows_of(givers)
    counts = given.counts[givers]
    return FeatureTable(given.vectors[rows], torch.cat([torch.zeros(1).long(), counts.cumsum(0)]))


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


def sequences_of_batch(whole, num_items=NUM_ITEMS):
    """Whole sequences [B, L + 1] as losses have them; rows of one item train nothing."""
    items, targets = dense_batch(whole)
    rows, columns = targets.nonzero(as_tuple=True)
    samples = Samples(items, rows, columns, targets[rows, columns], Parts((len(rows),)))
    return SequencesOfBatch.of(samples, num_items=num_items)


def batch(name, whole, num_items=NUM_ITEMS, stage="finetune"):
    """What a model trains of whole sequences, or of the items in them that have everything."""
    case = cases.CASES[name]
    if stage in case.over_items:
        items = whole.unique()
        return ItemBatch(items[(items != 0) & ~torch.isin(items, torch.tensor(INCOMPLETE))])
    return masked_batch(whole, num_items) if case.masked else dense_batch(whole)


def asked(name, items, num_items=NUM_ITEMS):
    """Histories as training would have them, and where [B] it asks what comes next."""
    ends = (items != 0).sum(dim=1)
    if not cases.CASES[name].masked:
        return items, ends - 1
    return F.pad(items, (0, 1)).scatter(1, ends.unsqueeze(1), num_items), ends


def masked_batch(whole, num_items=NUM_ITEMS):
    """A row for each item of whole sequences [B, L], in which it is masked."""
    rows, columns = whole.nonzero(as_tuple=True)
    masked = torch.arange(whole.shape[1]) == columns.unsqueeze(1)
    return Batch(whole[rows].masked_fill(masked, num_items), whole[rows].masked_fill(~masked, 0))


def prefix_batch(whole):
    """The same samples as `dense_batch`, one row each."""
    batch = dense_batch(whole)
    rows, columns = batch.targets.nonzero(as_tuple=True)
    before = torch.arange(batch.items.shape[1]) <= columns.unsqueeze(1)
    last = torch.arange(batch.items.shape[1]) == columns.unsqueeze(1)
    items = torch.where(before, batch.items[rows], 0)
    return Batch(items, torch.where(last, batch.targets[rows], 0))
