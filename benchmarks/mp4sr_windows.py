"""Windows against prefixes for long users: `python -m benchmarks.mp4sr_windows [steps] [seeds]`.

`dense` batches train a long sequence in windows, so a target has at least `overlap` items before
it, or all there are; `prefix` batches give each target the latest `max_sequence_length` items.
Both train MP4SR on MovieLens 1M on the same number of targets, from the same weights, with the
same settings, and rank every user's validation item. Needs the features of
`benchmarks.mp4sr_epoch`; writes `results/mp4sr_windows.json` and `.md`.
"""

from __future__ import annotations

import sys
import time
from itertools import islice
from statistics import mean

import torch

from benchmarks.mp4sr_runs import Stepper, batches, data, endless, ours, params
from benchmarks.workspace import PROJECT
from mmrec.data.split import hold_out_validation, training_part
from mmrec.evaluation.evaluator import validation_metrics
from mmrec.io import write_json, write_text
from mmrec.training.run_data import RunData

RESULTS = PROJECT / "benchmarks" / "results" / "mp4sr_windows.json"
ARMS: dict[str, tuple[str, int | None]] = {
    "windows, overlap 25 (default)": ("dense", None),
    "windows, overlap 0": ("dense", 0),
    "windows, overlap 40": ("dense", 40),
    "prefixes": ("prefix", None),
}
METRICS = ("recall@20", "ndcg@10")


def trained(read: RunData, arm: str, steps: int, seed: int) -> dict[str, float]:
    """Validation metrics after the steps."""
    batching, overlap = ARMS[arm]
    stepper = Stepper(ours(read, seed))
    torch.manual_seed(seed)
    started = time.perf_counter()
    source = endless(batches(read, batching, overlap, seed))
    targets = sum(stepper.step(batch) for batch in islice(source, steps))
    seconds = time.perf_counter() - started
    found = validation_metrics(
        stepper.objective.recommender,
        hold_out_validation(read.sequences),
        max_sequence_length=params().architecture.max_sequence_length,
        mask_history=False,
        cutoffs=[10, 20],
    )
    return {"targets": targets, "seconds": seconds, **{name: found[name] for name in METRICS}}


def table(found: dict[str, list[dict[str, float]]], facts: str) -> str:
    """The result as Markdown."""
    lines = ["# MP4SR: windows against prefixes", "", facts, ""]
    lines += [f"| rows | {' | '.join(METRICS)} | s |", f"|---|{'---|' * (len(METRICS) + 1)}"]
    for arm, runs in found.items():
        cells = [
            f"{mean(run[name] for run in runs):.4f} "
            f"({', '.join(f'{run[name]:.4f}' for run in runs)})"
            for name in METRICS
        ]
        lines.append(
            f"| {arm} | {' | '.join(cells)} | {mean(run['seconds'] for run in runs):,.0f} |"
        )
    return "\n".join([*lines, ""])


def main(steps: int, num_seeds: int) -> None:
    """Train every arm, seed after seed, writing what there is."""
    read = data()
    limit = params().architecture.max_sequence_length
    lengths = training_part(read.sequences).lengths
    long = float((lengths > limit + 1).double().mean())
    facts = (
        f"MovieLens 1M, maximum length {limit}: {long:.0%} of the users are longer. {steps} steps "
        f"of 1,024 targets, validation of all users, mean (and each) of the seeds."
    )
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed in range(1, num_seeds + 1):
        for arm in ARMS:
            found[arm].append(trained(read, arm, steps, seed))
            print(arm, seed, found[arm][-1], flush=True)
        write_json({"facts": facts, "arms": found}, RESULTS)
        write_text(table(found, facts), RESULTS.with_suffix(".md"))


if __name__ == "__main__":
    chosen = [int(argument) for argument in sys.argv[1:]]
    main(*(chosen + [400, 2][len(chosen) :]))
