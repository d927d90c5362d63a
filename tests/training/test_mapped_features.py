"""Features larger than the memory a process may use are read from a file and train."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.part_writer import PartWriter

NUM_ITEMS, ROWS_PER_ITEM, DIM = 1_000, 50, 512
SIZE = NUM_ITEMS * ROWS_PER_ITEM * DIM * 2  # bytes: 49 MiB

TRAIN = """
import resource, sys
from pathlib import Path
import pyarrow as pa
import torch
from mmrec.features import table
from mmrec.models.data import Feature, ModelData
from mmrec.models.next_item_training import next_item_objective
from mmrec.models.registry import system_of
from mmrec.data.sequences import Sequences
from mmrec.params.models.registry import ModelParams
from mmrec.data.batches import TrainingBatches
from pydantic import TypeAdapter

folder = Path(sys.argv[1])
mapped_above, budget, num_items = map(int, sys.argv[2:])
table.MAX_IN_MEMORY = mapped_above
torch.set_num_threads(1)
params = TypeAdapter(ModelParams).validate_python({
    "name": "mp4sr", "pretrain": None,
    "architecture": {"embedding_dim": 8, "feedforward_dim": 16, "num_experts": 2},
    "finetune": {"epochs": 1, "patience": 1, "score_branches": "text"},
})
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
batches = TrainingBatches(sequences, batching="dense", max_sequence_length=50,
                          window_overlap=None, batch_size=64, seed=1)
for batch in batches.epoch(1):
    loss = objective(batch)["next_item"]
    loss.backward()
print(loss.isfinite().item(), model.item_encoder.pooling["text"].hidden.grad.abs().max() > 0)
"""


def write_features(folder: Path) -> None:
    """Random rows, the items in an order that is not the catalogue's."""
    schema = schemas.features(DIM, pa.float16())
    generator = np.random.default_rng(0)
    described = schema.with_metadata({schemas.FINGERPRINT_KEY: "{}"})
    num_rows = NUM_ITEMS * ROWS_PER_ITEM
    columns = {
        "item_id": [
            f"{item:06d}" for item in reversed(range(NUM_ITEMS)) for _ in range(ROWS_PER_ITEM)
        ],
        "position": list(range(ROWS_PER_ITEM)) * NUM_ITEMS,
        "content_key": [b"k" * 16] * num_rows,
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(generator.standard_normal(num_rows * DIM, np.float32).astype(np.float16)), DIM
        ),
    }
    with PartWriter(folder, described, rows_per_part=4096) as writer:
        writer.write(pa.table(columns, schema=schema))


def train(folder: Path, *, mapped_above: int) -> subprocess.CompletedProcess[str]:
    """An epoch in a process whose own memory may grow by less than the features' size."""
    numbers = map(str, (mapped_above, SIZE * 9 // 10, NUM_ITEMS))
    command = [sys.executable, "-c", TRAIN, str(folder), *numbers]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_features_larger_than_the_memory_allowed_train_when_they_are_mapped(tmp_path: Path) -> None:
    write_features(tmp_path)
    mapped = train(tmp_path, mapped_above=1 << 20)
    assert mapped.returncode == 0, mapped.stderr
    assert mapped.stdout == "True tensor(True)\n"
    assert "MemoryError" in train(tmp_path, mapped_above=1 << 40).stderr
