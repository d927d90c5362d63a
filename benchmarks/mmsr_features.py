"""Feature files of simulated token states, and what a training on them keeps in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from benchmarks.mmsr_encoders import TUNED, build_encoder, in_two
from benchmarks.mmsr_runs import MODALITIES, Case, run
from benchmarks.peers.probe import memory_mib, peak_mib
from benchmarks.sequence_runs import catalogue
from mmrec.data.batches import Batch
from mmrec.dataset_paths import DatasetPaths
from mmrec.features.cache.place import FeatureCache
from mmrec.features.contract import BlocksPlan, Fingerprint, TokenStates
from mmrec.features.encode.embed import embed_sentences
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


@dataclass(frozen=True)
class SimulatedExtractor:
    """Random states for every text, those that would enter the last blocks of an encoder."""

    modality: Modality
    case: Case

    level: Literal["tokens"] = "tokens"

    @property
    def dim(self) -> int:
        """Width of a state."""
        return self.case.width

    @property
    def libraries(self) -> dict[str, str]:
        """None take part."""
        return {}

    @property
    def fingerprint(self) -> Fingerprint:
        """Of this simulation."""
        return Fingerprint(
            extractor="simulated",
            version=1,
            model=self.modality,
            architecture="",
            weights="",
            preprocessing="",
            pooling="",
            normalize=False,
            dim=self.dim,
        )

    @property
    def last_blocks(self) -> torch.nn.Module:
        """With random weights."""
        return in_two(self._encoder())[1]

    @property
    def blocks_plan(self) -> BlocksPlan:
        """Of an encoder of the case's sizes."""
        config = json.loads(json.dumps(self._encoder().config.to_dict(), default=str))
        reads: Literal["text", "image"] = "text" if self.modality == "text" else "image"
        return BlocksPlan(reads, TUNED, config, num_image_tokens=0)

    def encode(self, contents: Iterable[str]) -> TokenStates:
        """Normal values, of which half precision leaves nothing to compress."""
        count = len(list(contents))
        lengths = np.full(count, self.case.tokens, np.int64)
        values = torch.randn(int(lengths.sum()), self.dim).numpy()
        return TokenStates(values, lengths)

    def _encoder(self) -> Any:
        own = asdict(self.case)
        sizes = {name: own[name] for name in ("width", "layers", "heads", "tokens", "patch")}
        return build_encoder(self.modality, **sizes)


def write_files(case: Case, folder: Path) -> dict[str, float]:
    """Write both features as the embed stage does; returns seconds and bytes.

    Pictures are simulated by texts, too: the files of their states are the same.
    """
    table = items(case)
    dataset = DatasetPaths(folder)
    started = time.perf_counter()
    for modality in MODALITIES:
        sentences = pa.table(
            {
                "item_id": table["item_id"],
                "position": pa.array(np.zeros(case.items, np.int32)),
                "sentence": [f"{modality} of item {one}" for one in range(case.items)],
            }
        )
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            embed_sentences(
                sentences,
                SimulatedExtractor(modality, case),
                dataset.features(modality),
                precision="float16",
                cache=FeatureCache(Path(cache), None),
            )
    spent = time.perf_counter() - started
    parts = [path for path in folder.rglob("*") if path.is_file()]
    states = [path for path in parts if path.suffix == ".parquet"]
    return {
        "write_s": spent,
        "bytes": sum(path.stat().st_size for path in states),
        "bytes_of_last_blocks": sum(path.stat().st_size for path in parts if path not in states),
        "bytes_of_values": 2 * len(MODALITIES) * case.items * case.tokens * case.width,
    }


def items(case: Case) -> pa.Table:
    """The catalogue."""
    numbers = np.arange(1, case.items + 1)
    ids = pa.array([f"item {one}" for one in numbers])
    return pa.table({"item_id": ids, "item_index": pa.array(numbers, pa.int32())})


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
        final = Feature(lambda: stored.vectors, lambda s=stored: s.tokens, level=lambda: "tokens")
        features[modality] = stored if tuned else final
    found = catalogue(case.items + 1)
    return replace(found, sequences=case.sequences(), features=features)


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
        for chunk in islice(every.split(model.item_encoder.items_at_once or case.items), CHUNKS):
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
    command = [sys.executable, "-m", "benchmarks.mmsr_features", name, json.dumps(asdict(case))]
    done = subprocess.run(
        [*command, str(folder)], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    asked, sizes, where = sys.argv[1:]
    (chosen,) = (name for name in TRAININGS if name == asked)
    print(json.dumps(train(chosen, Case(**json.loads(sizes)), Path(where))))
