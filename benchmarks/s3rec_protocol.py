"""SASRec by the protocol of S3-Rec's tables: `python -m benchmarks.s3rec_protocol <folder>`.

The folder has the authors' sequence files. Their protocol (`CIKM2020-S3Rec`, `trainers.py`) gives
what a user has seen a score of 0, where it stays among the candidates, and ranks padding, whose
score is 0, and the embedding of the mask, which SASRec never trains, as two more items. SASRec is
theirs: binary cross-entropy of one negative a position, 64 wide, two layers, dropout .5.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.peers.machine import describe_machine
from benchmarks.sasrec_grid import FOR_EVER, Machine, Task
from benchmarks.sasrec_grid_runs import Budget, Point, data_of, trained, write_dataset
from benchmarks.sasrec_grid_table import spread
from mmrec.data.split import hold_out_test
from mmrec.device import choose_device
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.evaluation.metrics import summarize
from mmrec.io import write_json, write_text
from mmrec.params.file import load_params
from mmrec.recommender import History, VectorRecommender
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "s3rec_protocol.json"
EXAMPLE = PROJECT / "examples" / "sequences.yaml"
SHOWN = ("recall@5", "recall@10", "recall@20", "ndcg@5", "ndcg@10", "ndcg@20")
PRINTED = {
    "beauty": (0.0387, 0.0605, 0.0902, 0.0249, 0.0318, 0.0394),
    "sports": (None, 0.0350, None, None, 0.0192, None),
}
"""SASRec in the authors' table of ranks among all items, in the order of `SHOWN`."""
SEEDS = (2021, 2022, 2023)
BUDGET = Budget(epochs=200, patience=30, batch_size=1536, mask_history=True)
"""Theirs: 200 epochs at most, 256 users a batch, of six training targets each. They stop when for
ten epochs none of six metrics is better; by one metric alone ten would be too few."""
MASK_SCALE = 0.02
"""Of the range that embeddings are drawn from."""


class WithPaddingAndMask(VectorRecommender):
    """A model with two more items in its table: zeros, and a vector that was never trained.

    Args:
        of: the model.
        seed: of the drawing.
    """

    def __init__(self, of: VectorRecommender, seed: int) -> None:
        super().__init__(num_items=of.num_items + 2, max_sequence_length=of.max_sequence_length)
        self.of = of
        drawn = torch.randn(of.item_table().shape[1], generator=torch.Generator().manual_seed(seed))
        self.mask = MASK_SCALE * drawn

    def item_table(self) -> Tensor:
        """The model's, and the two."""
        table = self.of.item_table()
        return torch.cat([table, torch.zeros_like(table[:1]), self.mask.to(table)[None]])

    def encode(self, history: History) -> Tensor:
        """As the model does."""
        return self.of.encode(history)


def ranked(task: Task) -> dict[str, Any]:
    """Train a point; its test by the authors' protocol, and with what was seen left out."""
    point, budget, folder = task
    recommender, found = trained(point, budget, folder)
    assert isinstance(recommender, VectorRecommender)
    held_out = hold_out_test(data_of(folder / point.dataset).sequences)
    with_both = WithPaddingAndMask(recommender, point.seed)
    ranks = {
        "as the authors rank": rank_held_out(with_both, held_out, mask_history="zero").ranks,
        "seen items left out": rank_held_out(recommender, held_out, mask_history=True).ranks,
    }
    test = {name: summarize(each.numpy(), SHOWN) for name, each in ranks.items()}
    return {**asdict(point), **found, "test": test}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What was found, as Markdown."""
    budget = found["budget"]
    yield from (
        "# SASRec by the protocol of S3-Rec's tables",
        "",
        "Binary cross-entropy, 64 wide, two layers, dropout .5, histories of 50; at most "
        f"{budget['epochs']} epochs, until {budget['patience']} in a row have no better NDCG@10 on "
        f"validation targets (seen items left out), {budget['batch_size']:,} targets a batch, Adam "
        "at .001. As the authors rank: seen items have a score of 0 and stay candidates, padding "
        "and the mask are two more. One setting was tried, the authors'. "
        f"{found['device']}, torch {found['torch']}.",
        "",
        f"| dataset | | seeds | {' | '.join(SHOWN)} |",
        "|---" * (3 + len(SHOWN)) + "|",
    )
    for dataset, printed in PRINTED.items():
        runs = [one for one in found["runs"] if one["dataset"] == dataset]
        if not runs:
            continue
        values = " | ".join("–" if each is None else f"{each:.4f}" for each in printed)
        yield f"| {dataset} | printed | – | {values} |"
        for name in runs[0]["test"]:
            values = " | ".join(
                spread(one["test"][name][metric] for one in runs) for metric in SHOWN
            )
            yield f"| {dataset} | {name} | {len(runs)} | {values} |"


def main(asked: argparse.Namespace) -> None:
    """Train, rank, and write what was found."""
    params, device = load_params(EXAMPLE), choose_device()
    budget = replace(BUDGET, epochs=asked.epochs)
    found: dict[str, Any] = {
        "budget": asdict(budget),
        "machine": describe_machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in asked.datasets:
            write_dataset(asked.files, params.datasets[each], folder / each)
        points = [
            Point(each, 64, 2, 0.5, "bce", seed=seed)
            for seed, each in product(SEEDS, asked.datasets)
        ]
        tasks = [(point, budget, folder) for point in points]
        for one in Machine(asked.jobs).each(ranked, tasks, FOR_EVER):
            found["runs"].append(one)
            write_json(found, asked.results)
            write_text("\n".join(lines(found)) + "\n", asked.results.with_suffix(".md"))
    print("\n".join(lines(found)))


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks.s3rec_protocol",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("files", type=Path, help="folder of Beauty.txt and Sports_and_Outdoors.txt")
    found.add_argument("--datasets", nargs="+", default=["beauty", "sports"])
    found.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    found.add_argument("--epochs", type=int, default=BUDGET.epochs, help="at most")
    found.add_argument("--results", type=Path, default=RESULTS)
    return found


if __name__ == "__main__":
    main(parser().parse_args())
