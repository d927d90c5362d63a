"""From `git clone` to a first recommendation: `python -m benchmarks.first_recommendation`.

A fresh clone of what is committed here, its environment, and the blocks of docs/tutorial.md up to
the first `mmrec recommend`: files of a small shop, `mmrec init`, `dvc repro`. With `--environment
<folder>` an environment that is there is taken in place of a new one. Writes
`results/first_recommendation.json` and `.md`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.peers.machine import describe_machine
from benchmarks.tutorial_page import PAGE, Block, blocks, change, run
from mmrec.io import write_json, write_text
from mmrec.study.workspace import PROJECT

RESULTS = PROJECT / "benchmarks" / "results" / "first_recommendation.json"
LAST = "mmrec recommend"


def steps(page: str) -> Iterator[Block]:
    """Blocks that a reader acts on, up to the first recommendation."""
    for block in blocks(page):
        if block.language in ("bash", "yaml"):
            yield block
        if block.text.startswith(LAST):
            return


def install(clone: Path, environment: Path | None) -> Path:
    """The folder of an environment for a clone; one of its own if None."""
    if environment is None:
        subprocess.run(["make", "environment"], cwd=clone, check=True)
        return clone / ".venv"
    return environment.resolve()


class Step(NamedTuple):
    """Something that a reader does, and what it took."""

    what: str
    seconds: float
    processor_seconds: float
    """Of all processes together: what other work on the machine hardly changes."""


@contextmanager
def timed(what: str, taken: list[Step]) -> Iterator[None]:
    """Time what is done within it."""
    clocks = time.perf_counter(), _processor_seconds()
    yield
    now = time.perf_counter(), _processor_seconds()
    taken.append(Step(what, now[0] - clocks[0], now[1] - clocks[1]))
    print(f"{what}: {taken[-1].seconds:.1f} s", flush=True)


def _processor_seconds() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def follow(folder: Path, environment: Path | None) -> list[Step]:
    """Do what the page says in a clone below a folder."""
    clone = folder / "shop"
    taken: list[Step] = []
    with timed("git clone", taken):
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
    with timed("an environment that was there" if environment else "make environment", taken):
        venv = install(clone, environment)
    path = os.pathsep.join([str(venv / "bin"), os.environ["PATH"]])
    own = {**os.environ, "PATH": path, "PYTHONPATH": str(clone), "DVC_NO_ANALYTICS": "1"}
    for block in steps(PAGE.read_text(encoding="utf-8")):
        if block.language == "yaml":
            change(block, clone / "params.yaml")
            continue
        with timed(" ".join(block.text.split()[:3]).partition(" -")[0], taken):
            run(block, clone, own)
    return taken


def table(taken: Sequence[Step]) -> str:
    """A line for each step, and their sum."""
    whole = Step("**all**", sum(one.seconds for one in taken), sum(one[2] for one in taken))
    lines = ["| step | seconds | processor seconds |", "|---|---|---|"]
    lines += [f"| {what} | {wall:.1f} | {used:.1f} |" for what, wall, used in [*taken, whole]]
    return "\n".join(lines)


def main(environment: Path | None) -> None:
    """Measure, print and keep."""
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        taken = follow(Path(folder), environment)
    caption = f"On {describe_machine()}; load before it: {load:.1f}."
    text = f"{table(taken)}\n\n{caption}\n"
    write_json({"load": load, "steps": [one._asdict() for one in taken]}, RESULTS)
    write_text(text, RESULTS.with_suffix(".md"))
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, metavar="FOLDER", help="with packages in it")
    main(parser.parse_args().environment)
