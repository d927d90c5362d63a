"""MMSRec's step against its straightforward form: `python -m benchmarks.mmsrec_step [sequences]`.

A step of fine-tuning at the size of Amazon Beauty 2014 (22,332 users who choose among 12,086 items,
or those of a sequences file), as published: 512 wide, 1,024 prefixes a batch, all items through the
item tower, softmax over all. Vectors are random; Beauty has titles alone, so once pictures are left
out. First both forms' losses and gradients without dropout, then steps with it, in turn in one
process, and then the parts of a step of ours, each by itself. Peak memory is of a process of its
own for each form. Of these sizes, writes `results/mmsrec_step.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from benchmarks.mmsrec_runs import Case, Form
from benchmarks.mmsrec_table import lines
from benchmarks.peers.machine import describe_machine
from benchmarks.peers.probe import memory_mib, peak_mib
from benchmarks.rounds import Seconds, in_rounds, stopped
from mmrec.data.batches import Batch
from mmrec.io import read_json, write_json, write_text
from mmrec.models.data import ModelData
from mmrec.models.mmsrec.model import BOTH
from mmrec.nn.losses import full_cross_entropy
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "mmsrec_step.json"
FORMS = ("mmrec", "straightforward")
STEPS = {"mmrec": 2, "straightforward": 1}
"""Of a round; a round before all others is not counted."""
MEMORY_STEPS = 2
TOLERANCE = 1e-5


def differences(case: Case, data: ModelData) -> dict[str, float]:
    """Loss of the first batch, and how far apart the forms are, without dropout.

    In double precision: in single, of two modalities that are equal but for rounding, the other
    one is now and then the larger, and has the gradient.
    """
    losses, gradients = [], []
    for name in FORMS:
        form = Form(name, case, data, drop=False, precision=torch.float64)
        batch = next(form.endless())
        loss = form.loss(batch)
        torch.autograd.backward(loss)
        losses.append(loss.item())
        named = form.parameters.items()
        gradients.append({name: one.grad for name, one in named if one.grad is not None})
    apart = {
        name: float((other - gradients[0][name]).abs().max() / other.abs().max())
        for name, other in gradients[1].items()
        if other.abs().max() > 0
    }
    worst = max(apart, key=lambda name: apart[name])
    return {
        "loss": losses[1],
        "loss_difference": abs(losses[0] - losses[1]),
        "largest_gradient_difference": apart[worst],
    }


def timed(case: Case, data: ModelData, rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of a step of each form, a value a round."""
    forms = {name: Form(name, case, data, drop=True) for name in FORMS}
    return in_rounds(
        {name: partial(step_of, form, form.endless(), STEPS[name]) for name, form in forms.items()},
        rounds,
    )


def step_of(form: Form, batches: Iterator[Batch], count: int) -> Seconds:
    """What a step takes in the mean of so many."""
    chosen = list(islice(batches, count))
    spent = stopped(partial(steps, form, chosen))
    return {kind: seconds / count for kind, seconds in spent.items()}


def steps(form: Form, batches: Sequence[Batch]) -> None:
    """As the trainer makes them."""
    for batch in batches:
        form.step(batch)


def parts(case: Case, data: ModelData, rounds: int) -> dict[str, list[Seconds]]:
    """Seconds of the parts of a step of ours, forward and backward, each without the others."""
    form = Form("mmrec", case, data, drop=True)
    batches = form.endless()
    taken: dict[str, list[Seconds]] = {}
    for number in range(rounds + 1):
        for name, do in _parts(form, next(batches)).items():
            spent = stopped(do)
            if number:
                taken.setdefault(name, []).append(spent)
    return taken


def _parts(form: Form, batch: Batch) -> dict[str, Callable[[], object]]:
    model = form.model
    every = torch.arange(model.num_items + 1)
    rows, columns = batch.targets.nonzero(as_tuple=True)
    queries, table = (
        value.detach().requires_grad_()
        for value in model.queries_and_table(batch.items, rows, columns)
    )
    form.backward(batch)  # for the optimiser
    return {
        "optimiser": form.update,
        "projection": lambda: backward(model.item_encoder.encode(every)),
        "projection, item tower": lambda: backward(model.states_by_modality(every[1:-1], BOTH)),
        "projection, item tower, sequences": lambda: backward(
            *model.queries_and_table(batch.items, rows, columns)
        ),
        "loss": lambda: backward(full_cross_entropy(queries, table, batch.targets[rows, columns])),
    }


def backward(*outputs: Tensor) -> None:
    """Through all of them, with gradients of ones."""
    torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])


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


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Everything about a case."""
    data = case.data()
    apart = differences(case, data)
    if max(apart["loss_difference"], apart["largest_gradient_difference"]) > TOLERANCE:
        raise ValueError(f"the forms differ: {apart}; a comparison of times would mean nothing")
    return {
        **asdict(case),
        "machine": describe_machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "users": len(data.sequences.lengths),
        "items": data.num_items - 1,
        "without_dropout": apart,
        "seconds": timed(case, data, rounds),
        "parts": parts(case, data, rounds),
        "memory": {name: of_own_process(name, case) for name in FORMS},
        "load": os.getloadavg()[1],
    }


def main(arguments: argparse.Namespace) -> None:
    """Measure case by case; write those of the published size, and keep others that are there."""
    for share in arguments.pictures:
        case = Case(
            sequences=arguments.sequences,
            num_items=arguments.items,
            pictures=share,
            embedding_dim=arguments.embedding_dim,
            batch_size=arguments.batch,
        )
        found = {f"{share:g}": measure(case, arguments.rounds)}
        if case == published(share):
            found = (read_json(RESULTS) if RESULTS.exists() else {}) | found
            write_json(found, RESULTS)
            write_text("\n".join(lines(found)) + "\n", RESULTS.with_suffix(".md"))
        print("\n".join(lines(found)), flush=True)


def published(pictures: float) -> Case:
    """The case of the defaults."""
    asked = parser().parse_args([])
    return Case(asked.sequences, asked.items, pictures, asked.embedding_dim, asked.batch)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__)
    found.add_argument("sequences", nargs="?", help="a line `user item item …` per user")
    found.add_argument("--items", type=int, default=12_086, help="of simulated sequences")
    found.add_argument("--embedding-dim", type=int, default=512)
    found.add_argument("--batch", type=int, default=1024)
    found.add_argument(
        "--pictures", type=float, nargs="+", default=[0.0, 1.0], help="shares of items with one"
    )
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--memory", choices=FORMS, help=argparse.SUPPRESS)
    found.add_argument("--case", help=argparse.SUPPRESS)
    return found


if __name__ == "__main__":
    asked = parser().parse_args()
    if asked.memory:
        peak_memory(asked.memory, Case(**json.loads(asked.case)))
    else:
        main(asked)
