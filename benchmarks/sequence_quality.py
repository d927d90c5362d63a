"""Quality on sequence files: `python -m benchmarks.sequence_quality <folder> [run …]`.

Trains the runs of `examples/sequences.yaml` (all that train, or those named) to convergence,
three seeds each, on the files that the example names in the folder, and ranks every user's last
item among the whole catalogue by the example's protocol. The epoch is chosen by the validation
metric; the test is looked at once. Writes `results/sequence_quality.json` after each training,
and does not train again what is in it under the same settings.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from statistics import mean, stdev

import torch

from benchmarks.sequence_runs import catalogue, read
from mmrec.data.sequences import Sequences
from mmrec.data.split import hold_out_test
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.evaluation.metrics import summarize
from mmrec.io import read_json, write_json
from mmrec.models.data import ModelData, TrainingRun
from mmrec.params.datasets import DatasetParams
from mmrec.params.file import load_params
from mmrec.params.models.registry import ModelParams
from mmrec.params.sources import SequencesSourceParams
from mmrec.training.checkpoint import discard_checkpoints
from mmrec.training.fit import fit

EXAMPLE = Path(__file__).parents[1] / "examples" / "sequences.yaml"
RESULTS = Path(__file__).parent / "results" / "sequence_quality.json"
WORK = Path(__file__).parents[1] / ".mmrec" / "sequence_quality"
SEEDS = (2020, 2021, 2022)
SHOWN = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "recall@20", "ndcg@20")


def run_data(dataset: DatasetParams, folder: Path) -> ModelData:
    """A dataset of the example, cleaned."""
    assert isinstance(dataset.source, SequencesSourceParams)
    result = read(folder / dataset.source.file, dataset.clean)
    num_items = result.items.num_rows + 1
    padding = torch.zeros(1, dtype=torch.int64)
    counts = torch.tensor(result.items["training_count"].to_pylist())
    return ModelData(
        items=result.items,
        sequences=Sequences.from_table(result.sequences),
        features=catalogue(num_items).features,
        training_counts=torch.cat([padding, counts]),
        is_cold=torch.tensor([False, *result.items["is_cold"].to_pylist()]),
    )


def train_and_test(
    params: ModelParams, data: ModelData, *, seed: int, mask_history: bool, work: Path
) -> dict[str, object]:
    """One training; its best epoch, validation metric, and test metrics."""
    started = time.perf_counter()
    recommender, record = fit(
        params,
        data,
        TrainingRun("finetune", seed, mask_history),
        weights=None,
        checkpoint_dir=work / "checkpoints",
        history_path=work / "history.csv",
    )
    discard_checkpoints(work / "checkpoints")
    ranks = rank_held_out(recommender, hold_out_test(data.sequences), mask_history=mask_history)
    record["minutes"] = (time.perf_counter() - started) / 60
    return record | {"seed": seed, "test": summarize(ranks.numpy(), SHOWN)}


def main(folder: Path, wanted: list[str]) -> None:
    """Train what is missing, and print each run's mean and spread."""
    params = load_params(EXAMPLE)
    trained = {name for name, run in params.runs.items() if params.models[run.model].finetune}
    unknown = set(wanted) - trained
    if unknown:
        sys.exit(f"no such run to train: {sorted(unknown)}; there are {sorted(trained)}")
    results: dict[str, list[dict[str, object]]] = read_json(RESULTS) if RESULTS.exists() else {}
    for name in wanted or sorted(trained):
        run = params.runs[name]
        model = params.models[run.model]
        described = {
            "dataset": params.datasets[run.dataset].model_dump(mode="json"),
            "model": model.model_dump(mode="json"),
            "evaluate": params.evaluate.model_dump(mode="json"),
        }
        kept = [one for one in results.get(name, []) if one["settings"] == described]
        data = None
        for seed in SEEDS:
            if any(one["seed"] == seed for one in kept):
                continue
            data = data or run_data(params.datasets[run.dataset], folder)
            masked, work = params.evaluate.mask_history, WORK / f"{name}-{seed}"
            one = train_and_test(model, data, seed=seed, mask_history=masked, work=work)
            one.pop("model")
            kept.append(one | {"settings": described})
            write_json(results | {name: kept}, RESULTS)
        results[name] = kept
        print(json.dumps({name: spread(kept)}), flush=True)


def spread(runs: list[dict[str, object]]) -> dict[str, str]:
    """Mean and standard deviation of each test metric over the seeds."""
    values = {name: [float(run["test"][name]) for run in runs] for name in SHOWN}  # type: ignore[index]
    return {name: f"{mean(found):.4f} +- {stdev(found):.4f}" for name, found in values.items()}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="*")
    chosen = parser.parse_args()
    main(chosen.folder, chosen.runs)
