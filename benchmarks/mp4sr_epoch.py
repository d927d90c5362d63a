"""MP4SR's fine-tuning against its straightforward form: `python -m benchmarks.mp4sr_epoch <ml-1m>`.

The folder holds MovieLens 1M as `examples/movielens-1m.yaml` describes it. The pipeline makes the
features once, in `.mmrec/workspaces/mp4sr-epoch`. Then both forms train in turn in one process,
some batches each; an epoch is these seconds per target times its targets. Peak memory is of a
process of its own for each form. The loss with dropout off, and its gradients, are compared on
users within the maximum length. Writes `results/mp4sr_epoch.json` and `.md`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch

from benchmarks.mp4sr_runs import (
    Stepper,
    batches,
    data,
    endless,
    make_features,
    ours,
    params,
    straightforward,
)
from benchmarks.peers.machine import describe_machine
from benchmarks.peers.probe import memory_mib, peak_mib
from mmrec.data.batches import TrainingBatches
from mmrec.data.sequences import Sequences, offsets_of
from mmrec.io import read_json, write_json, write_text
from mmrec.models.data import ModelData
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "mp4sr_epoch.json"
ROUNDS = 5
NUM_BATCHES = {"mmrec": 40, "straightforward": 3}
"""Batches of a round; before the first round each form takes two that are not counted."""
MEMORY_BATCHES = 3
SHORT_USERS = 24
FORMS = {"mmrec": (ours, "dense"), "straightforward": (straightforward, "prefix")}


class Seconds(NamedTuple):
    """Time by the clock, and of all processors together.

    The second hardly depends on what else the machine does; with several threads it counts the
    time they wait for each other, unless `OMP_WAIT_POLICY=passive`.
    """

    clock: float
    processor: float


def timed(read: ModelData) -> dict[str, list[Seconds]]:
    """Seconds per target of each form, a value a round."""
    forms = {
        name: (Stepper(make(read)), endless(batches(read, batching)))
        for name, (make, batching) in FORMS.items()
    }
    for stepper, source in forms.values():
        for batch in islice(source, 2):
            stepper.step(batch)
    taken: dict[str, list[Seconds]] = {name: [] for name in forms}
    for _ in range(ROUNDS):
        for name, (stepper, source) in forms.items():
            chosen = list(islice(source, NUM_BATCHES[name]))
            started, processor = time.perf_counter(), time.process_time()
            targets = sum(stepper.step(batch) for batch in chosen)
            spent = time.perf_counter() - started, time.process_time() - processor
            taken[name].append(Seconds(spent[0] / targets, spent[1] / targets))
            print(f"{name}, per target: {taken[name][-1]}", flush=True)
    return taken


def peak_memory(name: str) -> None:
    """Print the memory of this process in MiB: after loading, and at most in training."""
    read = data()
    make, batching = FORMS[name]
    stepper, source = Stepper(make(read)), batches(read, batching)
    loaded = memory_mib("VmRSS")
    for batch in islice(source.epoch(1), MEMORY_BATCHES):
        stepper.step(batch)
    print(json.dumps({"loaded_mib": loaded, "peak_mib": peak_mib()}))


def of_own_process(name: str) -> dict[str, float]:
    """Memory of one form."""
    command = [sys.executable, "-m", "benchmarks.mp4sr_epoch", "--memory", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def differences(read: ModelData) -> dict[str, float]:
    """Largest differences of loss and gradients, dropout off, users within the maximum length."""
    limit = params().architecture.max_sequence_length
    whole = read.sequences
    users = [
        whole.items[whole.offsets[user] : whole.offsets[user + 1]]
        for user in (whole.lengths <= limit + 1).nonzero().squeeze(1)[:SHORT_USERS].tolist()
    ]
    lengths = torch.tensor([len(user) for user in users])
    short = Sequences(torch.cat(users), offsets_of(lengths))
    losses, gradients = [], []
    for make, batching in FORMS.values():
        objective = make(read).eval()
        source = TrainingBatches(
            short,
            batching="dense" if batching == "dense" else "prefix",
            max_sequence_length=limit,
            window_overlap=None,
            batch_size=int(lengths.sum()),
            seed=1,
        )
        loss = objective(next(iter(source.epoch(1))))["next_item"]
        torch.autograd.backward(loss)
        losses.append(loss.item())
        found = dict(objective.recommender.named_parameters())
        gradients.append({name: p.grad for name, p in found.items() if p.grad is not None})
    largest = max(
        float((gradients[0][name] - other).abs().max() / other.abs().max().clamp(min=1e-12))
        for name, other in gradients[1].items()
        if other.abs().max() > 0
    )
    return {
        "users": len(users),
        "targets": int((lengths - 1).sum()),
        "loss": losses[1],
        "loss_difference": abs(losses[0] - losses[1]),
        "largest_gradient_difference": largest,
    }


def measure(source: Path) -> dict[str, object]:
    """Everything but quality."""
    make_features(source)
    read = data()
    taken = timed(read)
    rounds = list(zip(taken["mmrec"], taken["straightforward"], strict=True))
    targets = batches(read, "dense").num_targets
    return {
        "machine": describe_machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "items": read.items.num_rows,
        "users": len(read.sequences.lengths),
        "targets_per_epoch": targets,
        "sentences": len(read.features["text"].vectors.vectors),
        "keyword_sentences": len(read.features["image"].vectors.vectors),
        "batches_per_round": NUM_BATCHES,
        "rounds": ROUNDS,
        "seconds_per_epoch": {name: per_epoch(each, targets) for name, each in taken.items()},
        "ratios": {
            kind: [getattr(slow, kind) / getattr(fast, kind) for fast, slow in rounds]
            for kind in Seconds._fields
        },
        "memory": {name: of_own_process(name) for name in FORMS},
        "without_dropout": differences(read),
    }


def per_epoch(rounds: list[Seconds], targets: int) -> dict[str, float]:
    """Medians of the rounds, scaled."""
    return {
        kind: median(getattr(each, kind) for each in rounds) * targets for kind in Seconds._fields
    }


def table(found: dict[str, object]) -> str:
    """The result as Markdown."""
    seconds, memory, same = (
        found[name] for name in ("seconds_per_epoch", "memory", "without_dropout")
    )
    assert isinstance(seconds, dict)
    assert isinstance(memory, dict)
    assert isinstance(same, dict)
    ratios = found["ratios"]
    assert isinstance(ratios, dict)
    rows = [
        f"| {name} | {seconds[name]['clock']:,.0f} | {seconds[name]['processor']:,.0f} "
        f"| {memory[name]['loaded_mib']:,.0f} | {memory[name]['peak_mib']:,.0f} |"
        for name in FORMS
    ]
    shares = [
        f"{median(each):.1f} ({min(each):.1f} to {max(each):.1f}) by {kind}"
        for kind, each in ratios.items()
    ]
    return "\n".join(
        [
            "# MP4SR: an epoch of fine-tuning on MovieLens 1M",
            "",
            f"{found['users']:,} users, {found['items']:,} items, "
            f"{found['targets_per_epoch']:,} targets, {found['sentences']:,} sentences and "
            f"{found['keyword_sentences']:,} keyword sentences of 384 values. The keywords are "
            "those of the demo's small CLIP, which has never seen a poster: they have the sizes of "
            "real ones, not their meaning.",
            "",
            f"{found['machine']}, torch {found['torch']}, threads: {found['threads']}. Both in "
            f"turn in one process, {found['rounds']} rounds of {NUM_BATCHES['mmrec']} batches of "
            f"1,024 targets of ours and {NUM_BATCHES['straightforward']} of the straightforward "
            "form; seconds are medians, scaled to an epoch. Processor seconds hardly depend on "
            "what else the machine does, those by the clock do.",
            "",
            "| form | s an epoch | processor s | MiB before training | at most |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Ratio, median and range of the rounds: {', '.join(shares)}.",
            "",
            f"Dropout off, {same['users']} users within the maximum length, {same['targets']:,} "
            f"targets: loss {same['loss']:.6f}, difference {same['loss_difference']:.1e}; largest "
            f"difference of a gradient {same['largest_gradient_difference']:.1e} of its largest "
            "value.",
            "",
        ]
    )


def main(source: Path) -> None:
    """Measure, and write both files; a quality study that is there is kept."""
    kept = read_json(RESULTS) if RESULTS.exists() else {}
    found = {**kept, **measure(source)}
    write_json(found, RESULTS)
    write_text(table(found), RESULTS.with_suffix(".md"))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--memory", form]:
            peak_memory(form)
        case [folder]:
            main(Path(folder))
        case _:
            sys.exit(__doc__)
