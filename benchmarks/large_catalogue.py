"""Catalogues beyond memory: `python -m benchmarks.large_catalogue [--items 1000000] [--users …]`.

Simulates sequences, trains an epoch (or its first `--max-steps`, which the result then says) with
sampled softmax by the trainer of the pipeline, and says how long it took, in how much memory, and
where the time went. Then the same from a small base size, with ten times the users and ten times
the items, with the full softmax, too. Each training is a process of its own; validation ranks
some users among all items and is timed apart. Results go to
`benchmarks/results/large_catalogue_<model>.{json,md}` after every training.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.large_catalogue_table import write
from benchmarks.peers.probe import peak_mib
from benchmarks.sequence_runs import METRIC, make_batches, train_timed
from benchmarks.simulated_catalogue import Case, build, settings, simulate
from benchmarks.step_clock import StepClock
from mmrec.data.batches import TrainingBatches
from mmrec.data.split import draw_held_out, hold_out_validation, training_part
from mmrec.evaluation.evaluator import rank_held_out

RESULTS = Path(__file__).parent / "results"


def warm_up(objective: nn.Module, batches: TrainingBatches) -> None:
    """One step's gradients, thrown away: first calls cost more than others."""
    losses = objective(next(iter(batches.epoch(0))))
    torch.autograd.backward(list(losses.values()))
    objective.zero_grad(set_to_none=True)


def measure(case: Case) -> dict[str, object]:
    """Train an epoch, validate, and say what it took."""
    started = time.perf_counter()
    whole = simulate(
        num_users=case.num_users,
        num_items=case.num_items,
        interactions_per_user=case.interactions_per_user,
    )
    params = settings(case)
    counts = torch.bincount(training_part(whole).items, minlength=case.num_items + 1)
    batches = make_batches(params, whole)
    held_out = draw_held_out(hold_out_validation(whole), case.validation_users, seed=1)
    validation: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        objective = build(case, params, counts, Path(name))
        warm_up(objective, batches)
        clock = StepClock(batches, objective, case.max_steps)
        epoch_seconds: list[float] = []

        def validate() -> dict[str, float]:
            epoch_seconds.append(sum(clock.seconds.values()))
            began = time.perf_counter()
            rank_held_out(objective.recommender, held_out, mask_history=False)
            validation.append(time.perf_counter() - began)
            return {METRIC: 0.0}

        prepared = time.perf_counter() - started
        train_timed(objective, clock, validate, params.finetune, epochs=1)
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


def arguments() -> argparse.ArgumentParser:
    """What is asked for; `--case` is of the single processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--model", choices=["sasrec", "mp4sr"], default="sasrec")
    parser.add_argument("--loss", choices=["sampled", "in_batch", "full"], default="sampled")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--per-user", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=8192)
    parser.add_argument("--num-negatives", type=int, default=1024)
    parser.add_argument("--validation-users", type=int, default=256)
    parser.add_argument("--max-steps", type=int, default=0, help="cut the large epoch; 0: whole")
    parser.add_argument("--base-losses", nargs="*", default=["full", "sampled"])
    parser.add_argument("--base-items", type=int, default=12_000)
    parser.add_argument("--base-users", type=int, default=10_000)
    parser.add_argument("--base-batch-size", type=int, default=1024)
    return parser


def cases(asked: argparse.Namespace) -> dict[str, Case]:
    """The large one and, of each of the base losses, three sizes with the base in between."""
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
    found = {"large": large}
    base = replace(
        large,
        num_items=asked.base_items,
        num_users=asked.base_users,
        batch_size=asked.base_batch_size,
        max_steps=0,
    )
    for loss in asked.base_losses:
        own = replace(base, loss=loss)
        found |= {
            f"base, {loss}": own,
            f"base, {loss}, users x10": replace(own, num_users=10 * base.num_users),
            f"base again, {loss}": own,
            f"base, {loss}, items x10": replace(own, num_items=10 * base.num_items),
            f"base a third time, {loss}": own,
        }
    return found


def main() -> None:
    """Measure what is asked for, one process after another."""
    asked = arguments().parse_args()
    if asked.case:
        print(json.dumps(measure(Case(**json.loads(asked.case)))))
        return
    found: dict[str, dict[str, Any]] = {}
    for name, case in cases(asked).items():
        found[name] = in_its_own_process(case)
        write(found, RESULTS / f"large_catalogue_{asked.model}")


if __name__ == "__main__":
    main()
