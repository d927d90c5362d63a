"""What the cache costs and saves: `python -m benchmarks.feature_cache`.

Simulated vectors: 100,000 of 768 halves in the cache, then the whole `embed_text` path over
100,000 sentences that are all known; 10 million keys and 100,000 lookups.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from mmrec import schemas
from mmrec.features.cache.index import KeyIndex, load_index
from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import Fingerprint, FloatArray
from mmrec.features.encode.embed import embed_sentences
from mmrec.features.table import load_feature_table
from mmrec.study.workspace import PROJECT

NUM, DIM = 100_000, 768
NUM_KEYS, NUM_LOOKUPS = 10_000_000, 100_000


class Constant:
    """Random vectors at no cost, so that only the path around the model is timed."""

    level: Literal["vectors"] = "vectors"
    dim = DIM
    libraries: dict[str, str] = {}  # noqa: RUF012
    fingerprint = Fingerprint("simulated", 1, "m", "a", "w", "p", "pool", normalize=True, dim=DIM)

    def encode(self, contents: Iterable[str]) -> FloatArray:
        """Vectors [n, 768]."""
        count = sum(1 for _ in contents)
        return np.random.default_rng(0).standard_normal((count, DIM), np.float32)


def embed(folder: Path) -> None:
    """Cold and warm run of one feature, and reading it for training."""
    cache = FeatureCache(folder / "cache", None)
    sentences = pa.table(
        {
            "item_id": [f"item-{n:06d}" for n in range(NUM)],
            "position": pa.array(np.zeros(NUM), pa.int32()),
            "sentence": [f"the sentence of number {n}" for n in range(NUM)],
        },
        schema=schemas.SENTENCES,
    )
    for name in ("cold", "warm"):
        started = time.perf_counter()
        counts = embed_sentences(
            sentences, Constant(), folder / name, precision="float16", cache=cache
        )
        print(f"{name}: {time.perf_counter() - started:.2f} s, {counts['encoded']:,} encoded")


def load(folder: Path) -> None:
    """From feature files to training tensors, in a process that has done nothing else."""
    ids = [f"item-{n:06d}" for n in range(NUM)]
    items = pa.table({"item_id": ids, "item_index": pa.array(range(1, NUM + 1), pa.int32())})
    before = resident()
    started = time.perf_counter()
    table = load_feature_table(folder, items)
    seconds = time.perf_counter() - started
    data = table.vectors.numel() * table.vectors.element_size()
    print(f"to training tensors: {seconds:.2f} s, peak {(peak() - before) / data:.2f}x of the data")


def look_up(folder: Path) -> None:
    """An index of ten million keys, saved, mapped and asked."""
    generator = np.random.default_rng(0)
    keys = np.frombuffer(generator.bytes(16 * NUM_KEYS), "S16")
    started = time.perf_counter()
    index = KeyIndex.of([("all", keys)])
    print(f"index of {NUM_KEYS:,} keys: {time.perf_counter() - started:.2f} s")
    index.save(folder)
    sought = np.sort(generator.choice(keys, NUM_LOOKUPS))
    del keys, index
    gc.collect()
    before = resident()
    started = time.perf_counter()
    # One index is mapped, one is of the segments that it does not know: of none.
    (mapped, _) = load_index(folder, ["all"], lambda _: None)
    found = mapped.find(sought)
    seconds = time.perf_counter() - started
    if (found < 0).any():
        raise SystemExit("a key was not found")
    held = (resident() - before) / NUM_KEYS
    print(f"{NUM_LOOKUPS:,} lookups: {seconds:.2f} s, {held:.1f} bytes a key resident")


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Most bytes of this process in memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure each in a process of its own, so that memory is its own, too."""
    if len(sys.argv) == 3:
        steps = {"look_up": look_up, "embed": embed, "load": load}
        steps[sys.argv[1]](Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as work:
        for step, folder in (("look_up", "index"), ("embed", "."), ("load", "warm")):
            (Path(work) / folder).mkdir(exist_ok=True)
            command = [sys.executable, "-m", "benchmarks.feature_cache", step, f"{work}/{folder}"]
            subprocess.run(command, check=True, cwd=PROJECT)


if __name__ == "__main__":
    main()
