"""Catalogues beyond memory: `python -m benchmarks.large_catalogue [--items 1000000] [--users …]`.

Simulates sequences, trains an epoch (or its first `--max-steps`, which the result then says) with
sampled softmax by the trainer of the pipeline, and says how long it took, in how much memory, and
where the time went. Then the same from a small base size, with ten times the users and ten times
the items. Each training is a process of its own; validation ranks some users among all items and
is timed apart. Results go to `benchmarks/results/large_catalogue.{json,md}` after every training.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.large_catalogue_table import write
from benchmarks.peers.probe import peak_mib
from benchmarks.sequence_runs import METRIC, no_feature
from benchmarks.step_clock import StepClock
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.data.split import hold_out_validation, training_part
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.features.table import FeatureTable
from mmrec.models.build import build_objective, build_recommender
from mmrec.models.recommender import SequenceRecommender
from mmrec.params.baselines import ItemIdFinetune, SasrecArchitecture, SasrecParams
from mmrec.params.models import Mp4srArchitecture, Mp4srFinetune, Mp4srParams
from mmrec.params.training import InBatchLoss, NextItemLossParams, SampledLoss
from mmrec.training.batches import TrainingBatches
from mmrec.training.trainer import train

RESULTS = Path(__file__).parent / "results" / "large_catalogue"
LENGTH = 50
FEATURE_DIM = 64


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


def simulate(case: Case) -> Sequences:
    """Sequences of geometric length, at least 4; items popular by a power law."""
    generator = np.random.default_rng(1)
    mean = case.interactions_per_user
    lengths = 3 + generator.geometric(1 / (mean - 3), size=case.num_users)
    shares = np.cumsum(1 / np.arange(10, case.num_items + 10) ** 0.8)
    draws = generator.random(int(lengths.sum())) * shares[-1]
    # Popular items lie anywhere in the table, as in a catalogue in order of its ids.
    names = generator.permutation(case.num_items).astype(np.int32) + 1
    items = names[np.searchsorted(shares, draws).clip(max=case.num_items - 1)]
    return Sequences(torch.from_numpy(items), offsets_of(torch.from_numpy(lengths)))


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
    loss: NextItemLossParams = InBatchLoss(name="in_batch")
    if case.loss == "sampled":
        loss = SampledLoss(name="sampled", num_negatives=case.num_negatives)
    if case.model == "sasrec":
        return SasrecParams(
            name="sasrec",
            architecture=SasrecArchitecture(max_sequence_length=LENGTH),
            pretrain=None,
            finetune=ItemIdFinetune(epochs=1, batch_size=case.batch_size, loss=loss),
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
) -> SequenceRecommender:
    """The model over a simulated catalogue, with fresh weights."""
    torch.manual_seed(1)
    absent = no_feature(case.num_items + 1)
    return build_recommender(
        params,
        num_items=case.num_items + 1,
        text=features(case.num_items, folder) if case.model == "mp4sr" else absent,
        image=absent,
        training_counts=counts,
        stage="finetune",
    )


def warm_up(objective: nn.Module, batches: TrainingBatches) -> None:
    """One step's gradients, thrown away: first calls cost more than others."""
    losses = objective(next(iter(batches.epoch(0))))
    torch.autograd.backward(list(losses.values()))
    objective.zero_grad(set_to_none=True)


def measure(case: Case) -> dict[str, object]:
    """Train an epoch, validate, and say what it took."""
    started = time.perf_counter()
    whole = simulate(case)
    sequences, params = training_part(whole), settings(case)
    counts = torch.bincount(sequences.items, minlength=case.num_items + 1)
    batches = TrainingBatches(
        sequences,
        batching="dense",
        max_sequence_length=LENGTH,
        window_overlap=None,
        batch_size=case.batch_size,
        seed=1,
    )
    few = Sequences(whole.items, whole.offsets[: case.validation_users + 1])
    validation: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        recommender = build(case, params, counts, Path(name))
        objective = build_objective(params, recommender, training_counts=counts, stage="finetune")
        warm_up(objective, batches)
        clock = StepClock(batches, objective, case.max_steps)
        epoch_seconds: list[float] = []

        def validate() -> dict[str, float]:
            epoch_seconds.append(sum(clock.seconds.values()))
            began = time.perf_counter()
            held_out = hold_out_validation(few)
            rank_held_out(recommender, held_out, max_sequence_length=LENGTH, mask_history=False)
            validation.append(time.perf_counter() - began)
            return {METRIC: 0.0}

        prepared = time.perf_counter() - started
        tuning = params.finetune
        train(
            objective,
            clock,
            validate,
            epochs=1,
            patience=1,
            metric=METRIC,
            learning_rate=tuning.learning_rate,
            weight_decay=0.0,
            max_grad_norm=tuning.max_grad_norm,
            seed=1,
            stage="finetune",
            settings={},
            checkpoint_dir=Path(name, "checkpoints"),
            history_path=Path(name, "history.csv"),
        )
    total = time.perf_counter() - started
    return {
        **asdict(case),
        "interactions": int(whole.offsets[-1]),
        "targets": batches.num_targets,
        "steps": clock.num_steps,
        "steps_of_epoch": clock.steps_of_epoch,
        "epoch_seconds": epoch_seconds[0],
        "seconds_of": dict(clock.seconds),
        "prepare_seconds": prepared,
        "validation_seconds": validation[0],
        "rest_seconds": total - prepared - epoch_seconds[0] - validation[0],
        "peak_rss_mib": peak_mib(),
        "threads": torch.get_num_threads(),
    }


def in_its_own_process(case: Case) -> dict[str, Any]:
    """Measure where no other training has left memory behind."""
    command = [sys.executable, "-m", "benchmarks.large_catalogue", "--case"]
    done = subprocess.run(
        [*command, json.dumps(asdict(case))], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"load": os.getloadavg()[1]}


def main() -> None:
    """Measure what is asked for, one process after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--model", choices=["sasrec", "mp4sr"], default="sasrec")
    parser.add_argument("--loss", choices=["sampled", "in_batch"], default="sampled")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--per-user", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=8192)
    parser.add_argument("--num-negatives", type=int, default=1024)
    parser.add_argument("--validation-users", type=int, default=256)
    parser.add_argument("--max-steps", type=int, default=0, help="cut the large epoch; 0: whole")
    parser.add_argument("--base-items", type=int, default=20_000, help="0: no scaling runs")
    parser.add_argument("--base-users", type=int, default=4_000)
    parser.add_argument("--base-batch-size", type=int, default=1024)
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measure(Case(**json.loads(asked.case)))))
        return
    large = Case(
        asked.model,
        asked.loss,
        asked.items,
        asked.users,
        asked.per_user,
        asked.batch_size,
        asked.num_negatives,
        asked.validation_users,
        asked.max_steps,
    )
    sizes = {"large": large}
    if asked.base_items:
        base = replace(
            large,
            num_items=asked.base_items,
            num_users=asked.base_users,
            batch_size=asked.base_batch_size,
            max_steps=0,
        )
        sizes |= {
            "base": base,
            "users x10": replace(base, num_users=10 * base.num_users),
            "items x10": replace(base, num_items=10 * base.num_items),
        }
    found: dict[str, dict[str, Any]] = {}
    for name, case in sizes.items():
        found[name] = in_its_own_process(case)
        write(found, RESULTS)


if __name__ == "__main__":
    main()
