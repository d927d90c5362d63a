"""An epoch of SASRec or GRU4Rec: `python -m benchmarks.sequence_epoch <sequences file>`.

From a file with a line `user item item …` per user, by the code of the pipeline: read, clean,
train, rank every user's validation item. SASRec: d 64, 2 layers, 2 heads, inner 256, length 50,
dropout .5; GRU4Rec: 64 wide, 1 layer; both: full softmax, 1,024 targets a batch. The floor of the
softmax (`benchmarks.softmax_floor`) is measured after each epoch in a process of its own. The
last line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch

from benchmarks.peers.probe import peak_mib
from benchmarks.sequence_runs import (
    IdModelParams,
    build,
    catalogue,
    make_batches,
    read,
    timed_epochs,
)
from mmrec.data.sequences import Sequences
from mmrec.data.split import HeldOut, hold_out_validation
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.params.datasets import CleanParams
from mmrec.params.models.gru4rec import Gru4RecArchitecture, Gru4RecParams
from mmrec.params.models.sasrec import SasrecArchitecture, SasrecParams
from mmrec.params.next_item import NextItemFinetune
from mmrec.recommender import Recommender

FINETUNE = NextItemFinetune(
    batch_size=1024, batching="dense", learning_rate=1e-3, weight_decay=0.0, max_grad_norm=5.0
)
MODELS: dict[str, IdModelParams] = {
    "sasrec": SasrecParams(
        name="sasrec",
        architecture=SasrecArchitecture(
            embedding_dim=64,
            num_layers=2,
            num_heads=2,
            feedforward_dim=256,
            dropout=0.5,
            attention_dropout=0.5,
            max_sequence_length=50,
        ),
        pretrain=None,
        finetune=FINETUNE,
    ),
    "gru4rec": Gru4RecParams(
        name="gru4rec",
        architecture=Gru4RecArchitecture(
            embedding_dim=64, hidden_dim=64, num_layers=1, dropout=0.3, max_sequence_length=50
        ),
        pretrain=None,
        finetune=FINETUNE,
    ),
}
EVERYTHING = CleanParams(
    text_fields=[],
    max_sentences=10,
    max_images=10,
    min_rating=None,
    user_core=0,
    item_core=1,
    duplicates="keep_all",
    cold_threshold=10,
    max_unusable_share=0.0,
    max_failed_share=0.0,
)
"""Cleaning that leaves the file as it is."""
RANKINGS = 3


def measure(params: IdModelParams, file: Path, epochs: int) -> dict[str, object]:
    """Train and rank on the CPU with the threads that torch is set to."""
    imported, started = peak_mib(), time.perf_counter()
    sequences = Sequences.from_table(read(file, EVERYTHING).sequences)
    batches = make_batches(params, sequences)
    next(iter(batches.epoch(1)))
    to_batch_s, to_batch_mib = time.perf_counter() - started, peak_mib() - imported
    num_items = int(sequences.items.max()) + 1
    objective = build(params, catalogue(num_items))
    floors: list[float] = []
    seconds = timed_epochs(
        params,
        objective,
        batches,
        epochs,
        between=lambda: floors.append(floor(params, num_items - 1) * batches.num_targets),
    )
    users_per_s = ranking_speed(objective.recommender, hold_out_validation(sequences))
    return {
        "system": "mmrec",
        "model": params.name,
        "seconds_per_epoch": seconds,
        "targets": batches.num_targets,
        "peak_rss_mib": peak_mib(),
        "import_rss_mib": imported,
        "floor_seconds": median(floors),
        "share_of_floor": median(own / all_ for own, all_ in zip(floors, seconds, strict=True)),
        "raw_to_first_batch_s": to_batch_s,
        "raw_to_first_batch_mib": to_batch_mib,
        "ranking_users_per_s": users_per_s,
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__},
    }


def floor(params: IdModelParams, num_items: int) -> float:
    """Seconds per target of products and softmax alone; another process, for its memory."""
    sizes = (num_items, params.architecture.embedding_dim, torch.get_num_threads())
    command = [sys.executable, "-m", "benchmarks.softmax_floor", *map(str, sizes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def ranking_speed(recommender: Recommender, held_out: HeldOut) -> float:
    """Users whose held-out item is ranked among all, from their histories, in a second."""
    taken = []
    for _ in range(RANKINGS):
        started = time.perf_counter()
        rank_held_out(recommender, held_out, mask_history=False)
        taken.append(time.perf_counter() - started)
    return held_out.histories.num_rows / median(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--model", choices=MODELS, default="sasrec")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(json.dumps(measure(MODELS[chosen.model], chosen.sequences, chosen.epochs)))
