"""Windows against prefixes for long users: `python -m benchmarks.mp4sr_windows`.

`dense` batches train a long sequence in windows, so a target has at least `overlap` items before
it, or all there are; `prefix` batches give each target the latest `max_sequence_length` items.
Every arm trains MP4SR on MovieLens 1M from the same weights, with the same settings, for the same
processor time, and ranks every user's validation item now and then; ranking is not counted. With
`--every` fewer users are trained, to converge sooner. Needs the features of
`benchmarks.mp4sr_epoch`; writes `results/mp4sr_windows.json` and `.md` arm by arm, and keeps
trainings of other settings that are there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TypedDict

import torch

from benchmarks.mp4sr_runs import Stepper, batches, data, endless, ours, params
from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_validation, training_part
from mmrec.evaluation.evaluator import validation_metrics
from mmrec.io import read_json, write_json, write_text
from mmrec.models.data import ModelData
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "mp4sr_windows.json"
ARMS: dict[str, tuple[str, int | None]] = {
    "windows": ("dense", None),
    "windows-0": ("dense", 0),
    "windows-40": ("dense", 40),
    "prefixes": ("prefix", None),
}
SAID = {
    "windows": "windows, overlap 25 (default)",
    "windows-0": "windows, overlap 0",
    "windows-40": "windows, overlap 40",
    "prefixes": "prefixes",
}
METRICS = ("recall@20", "ndcg@10")
LOOKS = 10
"""Times that an arm is ranked."""


class Settings(TypedDict):
    """What tells trainings apart."""

    arm: str
    every: int
    seed: int


class Point(TypedDict):
    """What an arm had reached."""

    minutes: float
    steps: int
    epochs: float
    metrics: dict[str, float]


class Run(TypedDict):
    """One training."""

    settings: Settings
    points: list[Point]


def train_arm(read: ModelData, settings: Settings, minutes: float) -> Iterator[Point]:
    """An arm's training, point by point."""
    batching, overlap = ARMS[settings["arm"]]
    seed = settings["seed"]
    stepper = Stepper(ours(read, seed))
    torch.manual_seed(seed)
    own = batches(thinned(read, settings["every"]), batching, overlap, seed)
    seconds, targets, look = 0.0, 0, 1
    for step, batch in enumerate(endless(own), start=1):
        started = time.process_time()
        targets += stepper.step(batch)
        seconds += time.process_time() - started
        if seconds < 60 * minutes * look / LOOKS:
            continue
        look += 1
        found = validation_metrics(
            stepper.objective.recommender,
            hold_out_validation(read.sequences),
            mask_history=False,
            cutoffs=[10, 20],
        )
        yield {
            "minutes": seconds / 60,
            "steps": step,
            "epochs": targets / own.num_targets,
            "metrics": {name: found[name] for name in METRICS},
        }
        if look > LOOKS:
            return


def thinned(read: ModelData, every: int) -> ModelData:
    """The data with every n-th user."""
    sequences = read.sequences
    kept = [sequences.of(user) for user in range(0, sequences.num_users, every)]
    return replace(read, sequences=Sequences.from_lists(kept))


def table(runs: list[Run], facts: str) -> str:
    """The result as Markdown: trainings that differ in their rows alone below each other."""
    first, *_ = METRICS
    heads = ["users", "seed", "rows", "epochs", *(f"best {name}" for name in METRICS)]
    heads.append(f"minutes: {first}")
    lines = ["# MP4SR: windows against prefixes", "", facts, "", f"| {' | '.join(heads)} |"]
    lines.append(f"|{'---|' * len(heads)}")
    for run in sorted(runs, key=lambda run: sorted(run["settings"].items(), reverse=True)):
        settings, points = run["settings"], run["points"]
        every = settings["every"]
        cells = [
            "all" if every == 1 else f"1 of {every}",
            f"{settings['seed']}",
            SAID[settings["arm"]],
            f"{points[-1]['epochs']:.1f}",
            *(f"{max(point['metrics'][name] for point in points):.4f}" for name in METRICS),
            ", ".join(f"{point['minutes']:.0f}: {point['metrics'][first]:.4f}" for point in points),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main(arguments: argparse.Namespace) -> None:
    """Train the arms one after another, writing what there is."""
    read = data()
    limit = params().architecture.max_sequence_length
    lengths = training_part(read.sequences).lengths
    long = float((lengths > limit + 1).double().mean())
    facts = (
        f"MovieLens 1M, maximum length {limit}: {long:.0%} of the users are longer. 1,024 targets "
        f"a batch; {METRICS[0]} of all users' validation items after minutes of processor time."
    )
    for arm in arguments.arms:
        settings: Settings = {"arm": arm, "every": arguments.every, "seed": arguments.seed}
        points: list[Point] = []
        for point in train_arm(read, settings, arguments.minutes):
            points.append(point)
            print(arm, point, flush=True)
            # Read each time: another arm may be trained beside this one.
            found: list[Run] = read_json(RESULTS)["runs"] if RESULTS.exists() else []
            runs = [run for run in found if run["settings"] != settings]
            runs.append({"settings": settings, "points": points})
            write_json({"facts": facts, "runs": runs}, RESULTS)
            write_text(table(runs, facts), RESULTS.with_suffix(".md"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["windows", "prefixes"])
    parser.add_argument("--minutes", type=float, default=60, help="of processor time, of each arm")
    parser.add_argument("--every", type=int, default=1, help="train every n-th user")
    parser.add_argument("--seed", type=int, default=1)
    main(parser.parse_args())
