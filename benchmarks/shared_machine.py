"""A training beside another: `python -m benchmarks.shared_machine [sequences file]`.

SASRec and GRU4Rec as in `benchmarks.sequence_epoch`, every core of the machine for each process:
alone, beside a second training, and beside a program that keeps one core busy. Once as the
project lets threads wait for each other (`mmrec.stage.share_cores`), once as torch does by itself.
A process counts the steps, then the ranked users, of a few seconds; all cases take turns. Needs a
machine without other work, or `alone` is none. Writes `results/shared_machine.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from benchmarks.peers.machine import describe_machine
from benchmarks.sequence_epoch import EVERYTHING, MODELS
from benchmarks.sequence_runs import build, catalogue, make_batches, read
from benchmarks.simulated import write_sequences
from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_validation
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.io import write_json, write_text
from mmrec.stage import SPINS_PER_CORE
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "shared_machine.json"
WAITING = {"mmrec": SPINS_PER_CORE * (os.cpu_count() or 1), "torch": 300_000}
"""`GOMP_SPINCOUNT`; the second is what libgomp has where nothing is set."""
BESIDE = ("nobody", "a training", "a busy core")
WARM_UP_STEPS = 5
BUSY = "while True: pass"

Speed = dict[str, float]
Found = dict[str, dict[str, list[Speed]]]


def work(model: str, file: Path, seconds: float) -> Speed:
    """Train, then rank, for so many seconds each; starts with the first line of the input."""
    params = MODELS[model]
    sequences = Sequences.from_table(read(file, EVERYTHING).sequences)
    batches, held_out = make_batches(params, sequences), hold_out_validation(sequences)
    objective = build(params, catalogue(int(sequences.items.max()) + 1))
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-3, fused=True)
    epochs = (batch for epoch in range(1, 1000) for batch in batches.epoch(epoch))

    def step() -> int:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(objective(next(epochs)).values())).sum())
        optimizer.step()
        return 1

    def rank() -> int:
        rank_held_out(objective.recommender, held_out, mask_history=False)
        return held_out.histories.num_rows

    for _ in range(WARM_UP_STEPS):
        step()
    print("ready", flush=True)
    sys.stdin.readline()
    return {"steps_per_s": _rate(step, seconds), "users_per_s": _rate(rank, seconds)}


def _rate(do: Callable[[], int], seconds: float) -> float:
    started, done = time.perf_counter(), 0
    while (taken := time.perf_counter() - started) < seconds:
        done += do()
    return done / taken


def measure(model: str, file: Path, seconds: float, waiting: str, beside: str) -> Speed:
    """The speed of one training; of two, the mean of both."""
    environment = {**os.environ, "GOMP_SPINCOUNT": str(WAITING[waiting])}
    script = [sys.executable, "-m", "benchmarks.shared_machine", str(file)]
    command = [*script, "--seconds", str(seconds), "--work", model]
    busy = [subprocess.Popen([sys.executable, "-c", BUSY])] if beside == "a busy core" else []
    try:
        workers = [
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for _ in range(2 if beside == "a training" else 1)
        ]
        return _mean(_run_together(workers))
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _run_together(workers: list[subprocess.Popen[str]]) -> list[Speed]:
    """What workers measure that start when all of them are ready."""
    for worker in workers:
        assert worker.stdout is not None
        if worker.stdout.readline() != "ready\n":
            raise RuntimeError("a measured process ended before its start; see above")
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [json.loads(worker.communicate()[0]) for worker in workers]


def _mean(speeds: list[Speed]) -> Speed:
    return {name: sum(one[name] for one in speeds) / len(speeds) for name in speeds[0]}


def run_all(file: Path, *, rounds: int, seconds: float) -> Found:
    """By model, then by how threads wait and beside whom: the rounds, in which all take turns."""
    found: Found = {}
    for number in range(1, rounds + 1):
        for model in MODELS:
            for beside in BESIDE:
                for waiting in WAITING:
                    name = f"{waiting}, beside {beside}"
                    one = measure(model, file, seconds, waiting, beside)
                    found.setdefault(model, {}).setdefault(name, []).append(one)
                    print(f"{number}: {model}, {name}: {one}", flush=True)
    return found


def table(found: Found) -> str:
    """Medians and slowest rounds: how many times slower than alone with torch's own waiting."""
    lines = [
        "| model | waits as | beside | steps/s | slower | at worst | users/s | slower | at worst |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model, cases in found.items():
        for name, rounds in cases.items():
            waiting, beside = name.split(", beside ")
            cells = [
                cell
                for speed in ("steps_per_s", "users_per_s")
                for cell in _cells(
                    [one[speed] for one in rounds],
                    median(one[speed] for one in cases["torch, beside nobody"]),
                )
            ]
            lines.append(f"| {model} | {waiting} | {beside} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(speeds: list[float], alone: float) -> list[str]:
    middle = median(speeds)
    return [f"{middle:,.1f}", f"{alone / middle:.2f} ×", f"{alone / min(speeds):.2f} ×"]


def main(file: Path, *, rounds: int, seconds: float) -> None:
    """Measure, print and keep."""
    found = run_all(file, rounds=rounds, seconds=seconds)
    caption = (
        f"{rounds} rounds of {seconds:g} s on {describe_machine()}, torch {torch.__version__}."
    )
    text = f"{table(found)}\n\n{caption}\n"
    write_json(found, RESULTS)
    write_text(text, RESULTS.with_suffix(".md"))
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequences", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--work", choices=MODELS)
    chosen = parser.parse_args()
    if chosen.work:
        print(json.dumps(work(chosen.work, chosen.sequences, chosen.seconds)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            simulated = Path(folder) / "sequences.txt"
            if chosen.sequences is None:
                write_sequences(simulated)
            main(chosen.sequences or simulated, rounds=chosen.rounds, seconds=chosen.seconds)
