"""`dvc repro` with nothing to do, against empty stages: `python -m benchmarks.nothing_to_do`.

Needs a finished `make repro`. Two pipelines of as many stages that only copy one-line files
show what DVC itself needs: a bare chain, and the same graph with the same dependencies and
outputs of each stage. All three are called in turn.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from mmrec.study.workspace import PROJECT, repro

ROUNDS = 7


def chain(num_stages: int) -> dict[str, Any]:
    """Stages with one dependency and one output each."""
    return {
        f"stage{place}": {"deps": [f"{place}.txt"], "outs": [f"{place + 1}.txt"]}
        for place in range(num_stages)
    }


def same_graph(lock: Mapping[str, Any]) -> dict[str, Any]:
    """The stages of a lock file; paths outside its project are moved into it."""

    def paths(entries: Iterable[Mapping[str, str]]) -> list[str]:
        return [entry["path"].replace("../", "up/").lstrip("/") for entry in entries]

    return {
        name.replace("@", "-"): {"deps": paths(stage["deps"]), "outs": paths(stage["outs"])}
        for name, stage in lock["stages"].items()
    }


def write_pipeline(stages: Mapping[str, Any], folder: Path) -> Path:
    """A project whose stages write a line to each of their outputs, run once.

    A path in which others of the stages lie is a folder of these and nothing else.
    """
    folder.mkdir()
    paths = {path for stage in stages.values() for path in (*stage["deps"], *stage["outs"])}
    files = paths - {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    commands: dict[str, Any] = {}
    given = set(files)
    for name, stage in stages.items():
        made = sorted(path for path in files if _is_within(path, stage["outs"]))
        given.difference_update(made)
        lines = [f"mkdir -p {PurePosixPath(path).parent} && echo {name} > {path}" for path in made]
        commands[name] = {"cmd": lines, **stage}
    for path in given:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("line\n")
    YAML().dump({"stages": commands}, folder / "dvc.yaml")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=folder, check=True)
    repro(folder)
    return folder


def _is_within(path: str, folders: Iterable[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def seconds(folder: Path) -> float:
    """Time of one `dvc repro` that must run nothing."""
    started = time.perf_counter()
    output = repro(folder)
    if "up to date" not in output:
        sys.exit(f"{folder}: dvc repro had something to do; run it first")
    return time.perf_counter() - started


def main() -> None:
    """Print medians and the ratios to the pipeline of this project."""
    lock = YAML(typ="safe").load(PROJECT / "dvc.lock")
    with tempfile.TemporaryDirectory() as work:
        folders = {
            "this project": PROJECT,
            "the same graph of one-line files": write_pipeline(same_graph(lock), Path(work, "a")),
            "a chain of empty stages": write_pipeline(chain(len(lock["stages"])), Path(work, "b")),
        }
        rounds = [[seconds(folder) for folder in folders.values()] for _ in range(ROUNDS)]
    print(f"{len(lock['stages'])} stages, median of {ROUNDS} rounds")
    for place, name in enumerate(folders):
        ratio = median(times[0] / times[place] for times in rounds)
        print(f"{name}: {median(times[place] for times in rounds):.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
