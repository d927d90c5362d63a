"""An epoch over the features of a folder, in a process whose own memory may grow by a budget."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pyarrow as pa
import torch
from pydantic import TypeAdapter

from mmrec.data.batches import TrainingBatches
from mmrec.data.sequences import Sequences
from mmrec.features import table
from mmrec.models.data import Feature, ModelData
from mmrec.models.next_item_training import next_item_objective
from mmrec.models.registry import system_of
from mmrec.params.models.registry import ModelParams


def main() -> None:
    """With the arguments of the command line; prints what was found."""
    folder = Path(sys.argv[1])
    mapped_above, budget, num_items = map(int, sys.argv[2:])
    table.MAX_IN_MEMORY = mapped_above
    torch.set_num_threads(1)
    params = TypeAdapter(ModelParams).validate_python(
        {
            "name": "mp4sr",
            "pretrain": None,
            "architecture": {"embedding_dim": 8, "feedforward_dim": 16, "num_experts": 2},
            "finetune": {"epochs": 1, "patience": 1, "score_branches": "text"},
        }
    )
    ids = [f"{n:06d}" for n in range(num_items)]
    items = pa.table({"item_id": ids, "item_index": range(1, num_items + 1)})
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used + budget, used + budget))
    text = table.load_feature_table(folder, items)
    none = table.FeatureTable(torch.zeros(0, 0), torch.zeros(num_items + 1, dtype=torch.int64))
    counts = torch.zeros(num_items + 1, dtype=torch.int64)
    features = {"text": Feature(lambda: text), "image": Feature(lambda: none)}
    data = ModelData(items, Sequences.from_lists([]), features, counts, counts.bool())
    model = system_of(params).build_recommender(params, data, "finetune")
    objective = next_item_objective(model, params.finetune, counts)
    sequences = Sequences.from_lists([list(range(1, 60)), list(range(num_items - 50, num_items))])
    batches = TrainingBatches(
        sequences,
        batching="dense",
        max_sequence_length=50,
        window_overlap=None,
        batch_size=64,
        seed=1,
    )
    for batch in batches.epoch(1):
        loss = objective(batch)["next_item"]
        loss.backward()
    steepest = model.item_encoder.pooling["text"].hidden.grad.abs().max()
    sys.stdout.write(f"{loss.isfinite().item()} {steepest.item() > 0}")


if __name__ == "__main__":
    main()
