"""What a finished run of the demo takes to be used: `python -m benchmarks.second_day [run]`.

Import, opening, one history after the other, ten thousand at once beside the ranking speed of the
pipeline, and a table of new items until the first list that may have them. What is opened is a
project of the demo shop (`--project`), whose run knows items by content. Writes
`results/second_day.json` and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks.peers.machine import describe_machine
from mmrec import open_dataset, open_run
from mmrec.data.split import hold_out_test
from mmrec.demo.drawing import Product, draw_product
from mmrec.evaluation.evaluator import rank_held_out
from mmrec.io import write_json, write_text
from mmrec.library.run import Run
from mmrec.models.data import load_model_data
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.stage import share_cores
from mmrec.study.workspace import PROJECT
from mmrec.training.finished import load_finetuned

RESULTS = PROJECT / "benchmarks" / "results" / "second_day.json"
RUN = "demo-mp4sr"
K = 10
STARTS = 5
SINGLE = 500
MANY = 10_000
NEW_ITEMS = 10
ROUNDS = 3
COLOURS = ("red", "blue", "green", "yellow")

Figures = dict[str, float]


def starting(project: Path, run: str) -> Figures:
    """Seconds of the import, and of opening a run with all that it imports, in new processes."""
    clock = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    opening = f"import mmrec; mmrec.open_run({run!r})"

    def seconds(code: str) -> float:
        command = [sys.executable, "-c", clock.format(code)]
        done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
        return float(done.stdout)

    return {
        "import_s": median(seconds("import mmrec") for _ in range(STARTS)),
        "open_s": median(seconds(opening) for _ in range(STARTS)),
    }


def histories_of(project: Path, dataset: str, count: int) -> list[list[str]]:
    """So many beginnings of users' sequences, in random order."""
    sequences = open_dataset(dataset, project).sequences["item_ids"].to_list()
    found = [items[:end] for items in sequences for end in range(len(items) - 1, 0, -1)]
    order = np.random.default_rng(0).permutation(len(found))[:count]
    return [found[place] for place in order]


def ranking(run: Run, histories: Sequence[Sequence[str]]) -> Figures:
    """Latencies of single histories, and histories a second of many at once."""
    run.recommend(histories[:1], K)
    single = [_taken(partial(run.recommend, [one], K)) for one in histories[:SINGLE]]
    whole = [_taken(partial(run.recommend, histories, K)).seconds for _ in range(ROUNDS)]
    p50, p99 = np.percentile([one.seconds for one in single], [50, 99]) * 1000
    busy = median(one.busy for one in single) * 1000
    many = len(histories) / median(whole)
    return {"p50_ms": p50, "p99_ms": p99, "busy_ms": busy, "many_per_s": many}


def pipeline_speed(project: Path, run: str) -> float:
    """Users a second whose held-out item `evaluate` ranks."""
    params, paths = load_params(project / "params.yaml"), Paths(project)
    entry = params.runs[run]
    data = load_model_data(paths.dataset(entry.dataset), text=entry.text, image=entry.image)
    recommender = load_finetuned(data, paths.run(run).finetuned)
    held_out = hold_out_test(data.sequences)
    taken = [
        _taken(lambda: rank_held_out(recommender, held_out, mask_history=True)).seconds
        for _ in range(ROUNDS)
    ]
    return held_out.histories.num_rows / median(taken)


def new_items(project: Path, run: str, history: Sequence[str]) -> Figures:
    """Seconds from a table to the first list, of the first table in a process and of later ones."""
    with tempfile.TemporaryDirectory() as folder:
        # What is new is encoded, and leaves nothing in the project's cache.
        os.environ |= {"MMREC_CACHE": f"{folder}/cache", "MMREC_CACHE_REMOTE": "off"}
        taken = []
        for place in range(1 + ROUNDS):
            table = write_new_items(Path(folder) / str(place), place)

            def answer(table: Path = table) -> pl.DataFrame:
                return open_run(run, project, new_items=table).recommend([history], K)

            taken.append(_taken(answer))
    first, *later = taken
    return {
        "new_first_s": first.seconds,
        "new_first_busy_s": first.busy,
        "new_later_s": median(one.seconds for one in later),
        "new_later_busy_s": median(one.busy for one in later),
    }


def write_new_items(folder: Path, seed: int) -> Path:
    """A table of items with texts and pictures of their own."""
    folder.mkdir()
    path = folder / "new.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "title", "description", "images"])
        for place in range(NEW_ITEMS):
            colour, number = COLOURS[place % len(COLOURS)], NEW_ITEMS * seed + place
            picture = draw_product(Product("mug", colour, "plain", "paper", number), 0, 128)
            picture.save(folder / f"{place}.png")
            title = f"{colour.capitalize()} mug no. {number}"
            rows.writerow(
                [f"new-{place}", title, f"It is new, and has number {number}.", f"{place}.png"]
            )
    return path


class Taken(NamedTuple):
    """What a call took: seconds, and seconds of processors, which other work changes less."""

    seconds: float
    busy: float


def _taken(call: Callable[[], object]) -> Taken:
    started, busy = time.perf_counter(), time.process_time()
    call()
    return Taken(time.perf_counter() - started, time.process_time() - busy)


def table(found: Figures) -> str:
    """A line for each figure."""
    lines = [
        ("`import mmrec`", f"{found['import_s']:.3f} s"),
        ("`open_run`, with all that it imports, in a new process", f"{found['open_s']:.1f} s"),
        (
            f"one history, of {SINGLE}",
            f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms; "
            f"{found['busy_ms']:.1f} ms of processors",
        ),
        (f"{MANY:,} histories at once", f"{found['many_per_s']:,.0f} a second"),
        ("the same model in `evaluate`", f"{found['pipeline_per_s']:,.0f} users a second"),
        (
            f"table of {NEW_ITEMS} new items with texts and pictures, to the first list",
            f"{found['new_later_s']:.1f} s; {found['new_later_busy_s']:.1f} s of processors",
        ),
        (
            "the first such table in a process, which loads the encoders",
            f"{found['new_first_s']:.1f} s; {found['new_first_busy_s']:.1f} s of processors",
        ),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {what} | {took} |" for what, took in lines)])


def main(run: str, project: Path) -> None:
    """Measure, print and keep."""
    share_cores()
    load = os.getloadavg()[0]
    found = starting(project, run)
    dataset = load_params(project / "params.yaml").runs[run].dataset
    histories = histories_of(project, dataset, MANY)
    found |= ranking(open_run(run, project), histories)
    found |= {"pipeline_per_s": pipeline_speed(project, run)}
    found |= new_items(project, run, histories[0])
    caption = (
        f"Run `{run}`, lists of {K}, on {describe_machine()}; the machine's load was {load:.1f} "
        "when it began."
    )
    text = f"{table(found)}\n\n{caption}\n"
    write_json({"run": run, "load": load, **found}, RESULTS)
    write_text(text, RESULTS.with_suffix(".md"))
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default=RUN)
    parser.add_argument("--project", type=Path, default=Path())
    chosen = parser.parse_args()
    main(chosen.run, chosen.project)
