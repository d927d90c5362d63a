"""SASRec tuned by validation: `python -m benchmarks.sasrec_grid <folder of sequence files>`.

Datasets, cleaning and protocol are those of `examples/sequences.yaml`. Points are trained side by
side, each with the same budget of epochs; then the best of each dataset and the defaults are
trained from other seeds, and only these rank test items. Points that are in the results already
are not trained again: a grid goes on where it was stopped (`--grid-only` until it is done).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import torch

from benchmarks.peers.machine import describe_machine
from benchmarks.sasrec_grid_runs import (
    GRID_SEED,
    TEST_SEEDS,
    Budget,
    Point,
    default_of,
    grid,
    tested,
    validated,
    write_dataset,
)
from benchmarks.sasrec_grid_table import best_points, lines
from mmrec.device import choose_device
from mmrec.io import read_json, write_json, write_text
from mmrec.params.file import load_params
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "sasrec_grid.json"
FOR_EVER = 1e6
EXAMPLE = PROJECT / "examples" / "sequences.yaml"

Task: TypeAlias = tuple[Point, Budget, Path]
Found: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Machine:
    """What trains.

    Attributes:
        jobs: trainings at a time.
    """

    jobs: int

    def each(
        self, work: Callable[[Task], Found], tasks: Sequence[Task], seconds: float
    ) -> Iterator[Found]:
        """Results as they come, in no order; after so many seconds nothing more is begun."""
        until, waiting = time.monotonic() + seconds, list(reversed(tasks))
        threads = max(1, (os.cpu_count() or 1) // self.jobs)
        context = multiprocessing.get_context("spawn")
        at_work: set[Future[Found]] = set()
        with ProcessPoolExecutor(self.jobs, context, torch.set_num_threads, (threads,)) as pool:
            while at_work or (waiting and time.monotonic() < until):
                while waiting and len(at_work) < self.jobs and time.monotonic() < until:
                    at_work.add(pool.submit(work, waiting.pop()))
                done, at_work = wait(at_work, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)


def run(
    found: Found,
    part: str,
    points: Sequence[Point],
    folder: Path,
    machine: Machine,
    asked: argparse.Namespace,
) -> None:
    """Train what a part of the results lacks, and write them after each training."""
    work = {"grid": validated, "test": tested}[part]
    done = {_point(one) for one in found[part]}
    tasks = [(point, Budget(**found["budget"]), folder) for point in points if point not in done]
    for one in machine.each(work, tasks, asked.seconds if part == "grid" else FOR_EVER):
        found[part].append(one)
        write(found, asked.results)
        print(f"{part} {len(found[part])}: {one}", flush=True)


def write(found: Found, file: Path) -> None:
    """Results as JSON, and beside it as Markdown."""
    write_json(found, file)
    write_text("\n".join(lines(found)) + "\n", file.with_suffix(".md"))


def to_test(found: Found) -> list[Point]:
    """The best of each dataset and its defaults, from each of the seeds."""
    chosen = [
        point
        for name, best in best_points(found).items()
        for point in dict.fromkeys((_point(best), default_of(name)))
    ]
    return [replace(point, seed=seed) for point, seed in product(chosen, TEST_SEEDS)]


def _point(one: Mapping[str, Any]) -> Point:
    return Point(**{name: one[name] for name in asdict(default_of(""))})


def _begun(file: Path, budget: Budget, sizes: Found, num_points: int) -> Found:
    """What is there of the same budget and data, or nothing yet."""
    decisive = {"budget": asdict(budget), "data": sizes, "seed": GRID_SEED}
    found: Found = read_json(file) if file.is_file() else {}
    if any(found.get(name) != value for name, value in decisive.items()):
        found = {**decisive, "grid": [], "test": []}
    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {
        **found,
        "num_points": num_points,
        "machine": describe_machine(),
        "device": name,
        "torch": torch.__version__,
    }


def main(asked: argparse.Namespace) -> None:
    """Train, and write what was found."""
    params = load_params(EXAMPLE)
    budget = Budget(asked.epochs, asked.patience, asked.batch_size, params.validation.mask_history)
    points = grid(asked.datasets)[: asked.points]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {
            each: write_dataset(asked.files, params.datasets[each], folder / each)
            for each in asked.datasets
        }
        found = _begun(asked.results, budget, sizes, len(points)) | {"jobs": asked.jobs}
        machine = Machine(asked.jobs)
        run(found, "grid", points, folder, machine, asked)
        if not asked.grid_only:
            run(found, "test", to_test(found), folder, machine, asked)
    print("\n".join(lines(found)))


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m benchmarks.sasrec_grid",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("files", type=Path, help="folder of Beauty.txt and Sports_and_Outdoors.txt")
    found.add_argument("--datasets", nargs="+", default=["beauty", "sports"])
    found.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    found.add_argument(
        "--seconds", type=float, default=FOR_EVER, help="after which no point is begun"
    )
    found.add_argument("--grid-only", action="store_true", help="rank no test item")
    found.add_argument("--epochs", type=int, default=100)
    found.add_argument("--patience", type=int, default=5)
    found.add_argument("--batch-size", type=int, default=1024, help="targets of a step")
    found.add_argument("--points", type=int, help="the first of the grid alone")
    found.add_argument("--results", type=Path, default=RESULTS)
    return found


if __name__ == "__main__":
    main(parser().parse_args())
