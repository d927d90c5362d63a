"""Feature files of simulated token states in, what a training on them keeps in memory out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import torch

from benchmarks.mmsr_files import items, write_files
from benchmarks.mmsr_world import MODALITIES, Case, run
from benchmarks.peers.probe import memory_mib, peak_mib
from benchmarks.sequence_runs import catalogue
from mmrec.data.batches import Batch
from mmrec.dataset_paths import DatasetPaths
from mmrec.models.data import Feature, ModelData
from mmrec.models.mmsr.build import build_recommender, build_training
from mmrec.params.models.mmsr import CoarseFusion, MmsrParams
from mmrec.params.training import Modality
from mmrec.recommender import inference
from mmrec.training.optimizer import build_optimizer

STEPS = 2
"""Of a training: from the second on the optimiser has its moments."""
CHUNKS = 2
"""Of the catalogue, encoded as for an evaluation."""
EVERY_S = 0.01
KINDS = ("VmRSS", "RssAnon", "RssFile")
"""All that is resident; what is the process's own; what is of mapped files, and may be dropped."""
TrainingName = Literal["merge attention, top two blocks", "merge attention, frozen", "sum, frozen"]
TRAININGS: tuple[TrainingName, ...] = (
    "merge attention, top two blocks",
    "merge attention, frozen",
    "sum, frozen",
)


def params(name: TrainingName, case: Case) -> MmsrParams:
    """Settings of one of the trainings that are measured."""
    changes: dict[str, Any] = {} if "top two" in name else {"tune": "none"}
    if name.startswith("sum"):
        changes["fusion"] = CoarseFusion(name="sum")
    return case.params(case.architecture(**changes))


def read(case: Case, folder: Path, *, tuned: bool) -> ModelData:
    """The features, as stages read them; of final states where nothing is trained."""
    table = items(case)
    dataset = DatasetPaths(folder)
    features: dict[Modality, Feature] = {}
    for modality in MODALITIES:
        stored = Feature.stored(dataset, modality, table)
        features[modality] = stored if tuned else _final(stored)
    found = catalogue(case.items + 1)
    return replace(found, sequences=case.sequences(), features=features)


def _final(stored: Feature) -> Feature:
    """The same states, as if no blocks were behind them."""
    return Feature(lambda: stored.vectors, lambda: stored.tokens, level=lambda: "tokens")


def train(name: TrainingName, case: Case, folder: Path) -> dict[str, Any]:
    """Memory of this process in MiB when the features are read, in steps, and in retrieval."""
    before = memory_mib("VmRSS")
    started = time.perf_counter()
    with most_memory() as loading:
        data = read(case, folder, tuned="top two" in name)
        torch.manual_seed(1)
        own = params(name, case)
        model = build_recommender(own, data, "finetune")
    load_s = time.perf_counter() - started
    training = build_training(own, model, data, run())
    optimizer = build_optimizer(training.objective, own.finetune, training.groups, stage="finetune")
    batch = next(iter(training.batches.epoch(1)))
    assert isinstance(batch, Batch)
    started = time.perf_counter()
    with most_memory() as stepping:
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            losses = training.objective.train()(batch)
            torch.autograd.backward(torch.stack(list(losses.values())).sum())
            optimizer.step()
    step_s = (time.perf_counter() - started) / STEPS
    with most_memory() as retrieving, inference(model):
        every = torch.arange(1, case.items + 1)
        for chunk in islice(
            torch.split(every, model.item_encoder.items_at_once or case.items), CHUNKS
        ):
            model.item_encoder.encode(chunk)
    return {
        "load_s": load_s,
        "step_s": step_s,
        "users": len(batch.items),
        "before_mib": before,
        "most_mib": {"loading": loading, "steps": stepping, "retrieval": retrieving},
        "peak_mib": peak_mib(),
    }


@contextmanager
def most_memory() -> Iterator[dict[str, float]]:
    """Fill in the most of each kind of memory while something is done, looked at by a thread."""
    most: dict[str, float] = {}
    done = threading.Event()

    def look() -> None:
        for kind in KINDS:
            most[kind] = max(most.get(kind, 0.0), memory_mib(kind))

    def watch() -> None:
        while not done.wait(EVERY_S):
            look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()
        look()


def measure_files(case: Case, users: dict[TrainingName, int]) -> dict[str, Any]:
    """Files, and each training in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(case, Path(folder))
        print(files, flush=True)
        trainings = {}
        for name, count in users.items():
            trainings[name] = of_own_process(name, replace(case, users=count), Path(folder))
            print(name, trainings[name], flush=True)
    return {**asdict(case), "files": files, "trainings": trainings}


def of_own_process(name: TrainingName, case: Case, folder: Path) -> dict[str, Any]:
    """One training."""
    command = [sys.executable, "-m", "benchmarks.mmsr_memory", name, json.dumps(asdict(case))]
    done = subprocess.run(
        [*command, str(folder)], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    asked, sizes, where = sys.argv[1:]
    (chosen,) = (name for name in TRAININGS if name == asked)
    print(json.dumps(train(chosen, Case(**json.loads(sizes)), Path(where))))
