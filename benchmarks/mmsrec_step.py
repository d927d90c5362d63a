"""A step of MMSRec's fine-tuning against its straightforward form: `python -m benchmarks.mmsrec_step`.

At the size of Amazon Beauty 2014 (22,332 users, 12,086 items, or those of a sequences file), as
published: 512 wide, 1,024 prefixes a batch, all items through the item tower, softmax over all.
Vectors of texts and pictures are random. First both forms' losses and gradients without dropout,
then steps with it, in turn in one process. Peak memory is of a process of its own for each form.
Then parts of a step of ours, each by itself. Writes `results/mmsrec_step.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from statistics import median
from typing import Any

import torch

from benchmarks.mmsrec_runs import Case, Form
from benchmarks.peers.machine import describe_machine
from benchmarks.peers.probe import memory_mib, peak_mib
from mmrec.data.batches import Batch
from mmrec.io import read_json, write_json, write_text
from mmrec.models.data import ModelData
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "mmsrec_step.json"
FORMS = ("mmrec", "straightforward")
MEMORY_STEPS = 2


def differences(case: Case, data: ModelData) -> dict[str, float]:
    """Loss of the first batch, and how far apart the forms are, without dropout."""
    losses, gradients = [], []
    for name in FORMS:
        form = Form(name, case, data, drop=False)
        batch = next(form.endless())
        loss = form.loss(batch)
        torch.autograd.backward(loss)
        losses.append(loss.item())
        gradients.append({name: value.grad for name, value in form.parameters.items()})
    apart = {
        name: float((own - gradients[0][name]).abs().max() / own.abs().max())
        for name, own in gradients[1].items()
        if own is not None and own.abs().max() > 0
    }
    worst = max(apart, key=lambda name: apart[name])
    return {
        "loss": losses[1],
        "loss_difference": abs(losses[0] - losses[1]),
        "largest_gradient_difference": apart[worst],
    }


def timed(case: Case, data: ModelData, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Seconds of a step, by the clock and of all processors, a value a round."""
    forms = {name: Form(name, case, data, drop=True) for name in FORMS}
    batches = {name: form.endless() for name, form in forms.items()}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in FORMS}
    for number in range(rounds + 1):
        for name, form in forms.items():
            batch = next(batches[name])
            started, processor = time.perf_counter(), time.process_time()
            form.step(batch)
            spent = {
                "clock": time.perf_counter() - started,
                "processor": time.process_time() - processor,
            }
            print(f"round {number}, {name}: {spent}", flush=True)
            if number:  # the first only warms up
                taken[name].append(spent)
    return taken


def peak_memory(name: str, case: Case) -> None:
    """Print the memory of this process in MiB: before the first step, and at most."""
    form = Form(name, case, case.data(), drop=True)
    loaded = memory_mib("VmRSS")
    for batch in islice(form.endless(), MEMORY_STEPS):
        form.step(batch)
    print(json.dumps({"loaded_mib": loaded, "peak_mib": peak_mib()}))


def of_own_process(name: str, case: Case) -> dict[str, float]:
    """Memory of one form."""
    command = [sys.executable, "-m", "benchmarks.mmsrec_step", "--memory", name]
    command += ["--case", json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
