"""What is compared, and one run of each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import PINS, interpreter
from mmrec.study.workspace import PROJECT


@dataclass(frozen=True)
class System:
    """A model as one tool trains it.

    Attributes:
        name: of its files.
        label: in table and plot.
        model: what it is compared with.
        peer: whose environment it runs in; None is this one.
        script: module of `benchmarks`, or file beside this one for a peer.
        options: of the script.
    """

    name: str
    label: str
    model: str
    peer: str | None
    script: str
    options: tuple[str, ...] = ()


def _own(model: str) -> System:
    name = model.lower()
    return System(f"mmrec-{name}", "mmrec", model, None, "sequence_epoch", ("--model", name))


def _recbole(model: str, *options: str) -> System:
    without = "--without-nan-scan" in options
    name = f"recbole-{model.lower()}{'-no-nan-scan' if without else ''}"
    label = f"RecBole 1.2.1, {'without NaN scan' if without else 'as installed'}"
    return System(name, label, model, "recbole", "recbole_run.py", ("--model", model, *options))


SYSTEMS = (
    _own("SASRec"),
    _recbole("SASRec", "--no-ranking"),
    _recbole("SASRec", "--without-nan-scan"),
    System("rectools-sasrec", "RecTools 0.19.0", "SASRec", "rectools", "rectools_run.py"),
    _own("GRU4Rec"),
    _recbole("GRU4Rec", "--no-ranking"),
    _recbole("GRU4Rec", "--without-nan-scan"),
)


@dataclass(frozen=True)
class Sizes:
    """How much of each system is run.

    Attributes:
        epochs: of mmrec in a run.
        batches: of a peer in a run, after its warm-up.
        threads: of every run.
    """

    epochs: int
    batches: int
    threads: int


class FailedError(Exception):
    """A run ended without a result; ends with what it printed last."""


def command(system: System, data: Path, sizes: Sizes) -> list[str]:
    """What starts one run.

    Raises:
        UnavailableError: the peer cannot be installed.
    """
    threads = ["--threads", str(sizes.threads)]
    if system.peer is None:
        own = ["-m", f"benchmarks.{system.script}", str(data), "--epochs", str(sizes.epochs)]
        return [sys.executable, *own, *threads, *system.options]
    start = [str(interpreter(system.peer)), str(PINS / system.script), str(data)]
    return [*start, "--batches", str(sizes.batches), *threads, *system.options]


def measure(system: System, data: Path, sizes: Sizes) -> Mapping[str, Any]:
    """Result of one run of a system.

    Raises:
        UnavailableError: the peer cannot be installed.
        FailedError: the run failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(sizes.threads)}
    if system.peer is not None:
        environment.pop("GOMP_SPINCOUNT", None)  # a setting of ours; peers run as installed
    return _run(command(system, data, sizes), environment)


def _run(arguments: list[str], environment: Mapping[str, str]) -> Mapping[str, Any]:
    load = os.getloadavg()[0]
    done = subprocess.run(
        arguments,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FailedError(done.stderr.strip()[-500:] or f"exit status {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**result, "load_before": load}


def digest_inputs(data: Path, sizes: Sizes) -> str:
    """Of all that results depend on but the machine: data, code, versions."""
    digest = blake2b(data.read_bytes(), digest_size=16)
    digest.update(f"{sizes} {SYSTEMS}".encode())
    folders = [PROJECT / "mmrec", PROJECT / "benchmarks"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    for path in sorted([*files, *PINS.glob("*.txt"), PROJECT / "constraints.txt"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
