"""PMMRec's pre-training over a large catalogue: `python -m benchmarks.pmmrec_epoch`.

A million interactions with 100,000 items, whose token states lie on disk in the files of a
feature. The pipeline's code reads them, trains an epoch of all four losses, and validates on some
users among all items; the result says how long each took, in how much memory, and where the time of
a step went. Encoders are frozen; `--tune top2` trains their top two blocks, as published. Of the
default sizes, writes `results/pmmrec_epoch.json` and `.md`. The states take 8 GB of disk, half of
it for the file that a training maps, in the folder for temporary files (`TMPDIR`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from benchmarks.memory_clock import MemoryClock
from benchmarks.peers.machine import describe_machine
from benchmarks.pmmrec_catalogue import Case, TimedTokens, read
from benchmarks.step_clock import StepClock
from mmrec.device import choose_device
from mmrec.io import write_json, write_text
from mmrec.models.data import TrainingRun
from mmrec.models.pmmrec.build import build_recommender, build_training
from mmrec.recommender import Training
from mmrec.study.workspace import PROJECT
from mmrec.training.trainer import train

RESULTS = PROJECT / "benchmarks" / "results" / "pmmrec_epoch.json"
DEFAULT = Case(
    items=100_000,
    interactions=1_000_000,
    width=384,
    tokens=32,
    dim=128,
    heads=4,
    tune="none",
    batch_size=1280,
    validation_users=1000,
    max_steps=0,
)
PARTS = ("batches", "forward", "backward", "optimiser", "between")


def measure(case: Case, folder: Path) -> dict[str, Any]:
    """Read, train an epoch, validate; for a process of its own, whose memory is looked at."""
    started = time.perf_counter()
    with MemoryClock() as memory:
        memory.enter("reading")
        data = read(case, folder)
        reading_seconds = time.perf_counter() - started
        params, run = case.params(), TrainingRun("pretrain", seed=1, mask_history=False)
        torch.manual_seed(1)
        model = build_recommender(params, data, "pretrain")
        training = build_training(params, model, data, run)
        memory.enter("training")
        found = _epoch(case, training, memory)
    return {
        **asdict(case),
        "interactions": int(data.sequences.offsets[-1]),
        "users": data.sequences.num_users,
        "states_mib": sum(one.tokens.values.nbytes / 2**20 for one in data.features.values()),
        "reading_seconds": reading_seconds,
        **found,
        "memory_mib": {**memory.peaks, "own_by_phase": dict(memory.own_mib)},
    }


def _epoch(case: Case, training: Training, memory: MemoryClock) -> dict[str, Any]:
    objective, settings = training.objective, case.params().pretrain
    assert settings is not None
    clock = StepClock(training.batches, objective, case.max_steps)
    taken: dict[str, Any] = {}

    def validate() -> dict[str, float]:
        taken["epoch_seconds"] = sum(clock.seconds.values())
        taken["waiting_for_states"] = TimedTokens.seconds
        memory.enter("validation")
        began = time.perf_counter()
        metrics = dict(training.validation.metrics())
        taken["validation_seconds"] = time.perf_counter() - began
        return metrics

    with tempfile.TemporaryDirectory() as scratch:
        train(
            objective,
            clock,
            validate,
            settings,
            seed=1,
            stage="pretrain",
            settings={},
            checkpoint_dir=Path(scratch, "checkpoints"),
            history_path=Path(scratch, "history.csv"),
            groups=training.groups,
        )
    return {
        **taken,
        "steps": clock.num_steps,
        "steps_of_epoch": clock.steps_of_epoch,
        "seconds_of": {part: clock.seconds[part] for part in PARTS},
        "device": _device(),
        "device_mib": torch.cuda.max_memory_allocated() / 2**20 if _on_gpu() else 0.0,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _on_gpu() -> bool:
    return choose_device().type == "cuda"


def _device() -> str:
    return torch.cuda.get_device_name() if _on_gpu() else "CPU"


def in_its_own_process(case: Case, folder: Path) -> dict[str, Any]:
    """Measure where writing the states has left no memory behind."""
    module = "benchmarks.pmmrec_epoch"
    command = [sys.executable, "-m", module, "--case", json.dumps(asdict(case))]
    done = subprocess.run(
        [*command, "--folder", str(folder)], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"machine": describe_machine(), "load": os.getloadavg()[1]}


def lines(found: Mapping[str, Any]) -> list[str]:
    """What was measured, as Markdown."""
    memory, total = found["memory_mib"], found["epoch_seconds"]
    cut = found["steps"] < found["steps_of_epoch"]
    frozen = "frozen encoders" if found["tune"] == "none" else "top two blocks trained"
    parts = {**found["seconds_of"], "of these, for states from disk": found["waiting_for_states"]}
    return [
        "# PMMRec: an epoch of pre-training over a large catalogue",
        "",
        f"{found['users']:,} users, {found['items']:,} items, {found['interactions']:,} "
        f"interactions; states {found['width']} wide, {found['tokens']} a picture and up to as "
        f"many a text: {found['states_mib']:,.0f} MiB on disk. DAP, NICL, NID and RCL, {frozen}, "
        f"{found['dim']} wide, {found['batch_size']:,} targets a step. {found['machine']}, "
        f"{found['device']}, torch {found['torch']}, threads: {found['threads']}, load "
        f"{found['load']:.1f}.",
        "",
        *([_cut_off(found)] if cut else []),
        "| what | seconds | share of the epoch |",
        "|---|---|---|",
        f"| reading states | {found['reading_seconds']:,.1f} | |",
        f"| epoch, {found['steps']:,} steps | {total:,.1f} | |",
        *(f"| {name} | {one:,.1f} | {one / total:.0%} |" for name, one in parts.items()),
        f"| ranking {found['validation_users']:,} users among all items, which are encoded for it "
        f"| {found['validation_seconds']:,.1f} | |",
        "",
        f"Memory of the process, most of its own: {memory['own_mib']:,.0f} MiB ("
        + ", ".join(f"{name} {one:,.0f}" for name, one in memory["own_by_phase"].items())
        + f"); resident, with pages of mapped files that the system can drop: "
        f"{memory['resident_mib']:,.0f} MiB; on the GPU: {found['device_mib']:,.0f} MiB.",
    ]


def _cut_off(found: Mapping[str, Any]) -> str:
    whole = found["epoch_seconds"] * found["steps_of_epoch"] / found["steps"]
    return (
        f"**The epoch was cut off after {found['steps']:,} of {found['steps_of_epoch']:,} steps; "
        f"as many more at this pace take {whole:,.0f} s in all, extrapolated.**\n"
    )


def main(asked: argparse.Namespace) -> None:
    """Write the states, measure, and leave the result of the default sizes."""
    if asked.case:
        print(json.dumps(measure(Case(**json.loads(asked.case)), asked.folder)))
        return
    case = Case(**{one.name: getattr(asked, one.name) for one in fields(Case)})
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        tokens = case.write(Path(folder))
        print(f"wrote {tokens} tokens in {time.perf_counter() - started:.0f} s", flush=True)
        found = in_its_own_process(case, Path(folder)) | {"num_tokens": tokens}
    text = "\n".join(lines(found)) + "\n"
    print(text)
    if case == DEFAULT:
        write_json(found, RESULTS)
        write_text(text, RESULTS.with_suffix(".md"))


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__)
    for one in fields(Case):
        default, name = getattr(DEFAULT, one.name), f"--{one.name.replace('_', '-')}"
        choices = ["none", "top2"] if one.name == "tune" else None
        found.add_argument(name, type=type(default), default=default, choices=choices)
    found.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    found.add_argument("--case", help=argparse.SUPPRESS)
    return found


if __name__ == "__main__":
    main(parser().parse_args())
