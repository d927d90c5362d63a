"""Features larger than the memory a process may use are read from a file and train."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.part_writer import PartWriter
from tests.interpreters import forking, forking_environment

ROOT = Path(__file__).parents[2]

NUM_ITEMS, ROWS_PER_ITEM, DIM = 1_000, 50, 512
SIZE = NUM_ITEMS * ROWS_PER_ITEM * DIM * 2  # bytes: 49 MiB


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
    module = "tests.training.training_within_memory"
    command = [forking() / "bin" / "python", "-m", module, str(folder), *numbers]
    return subprocess.run(
        command, cwd=ROOT, env=forking_environment(), capture_output=True, text=True, check=False
    )


def test_features_larger_than_the_memory_allowed_train_when_they_are_mapped(tmp_path: Path) -> None:
    write_features(tmp_path)
    mapped = train(tmp_path, mapped_above=1 << 20)
    assert mapped.returncode == 0, mapped.stderr
    assert mapped.stdout == "True True"
    assert "MemoryError" in train(tmp_path, mapped_above=1 << 40).stderr
