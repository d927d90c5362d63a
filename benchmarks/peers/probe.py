"""What a measured process says of itself; nothing but the standard library.

The peers' scripts run in environments without mmrec and import this file by its place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

WARM_UP = 2
"""Batches of a cut epoch before its clock starts: memory is being allocated."""


def peak_mib() -> float:
    """The most memory this process has had resident."""
    return memory_mib("VmHWM")


def memory_mib(name: str) -> float:
    """Memory of this process: `VmRSS` now, `VmHWM` at most so far."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {name}; the benchmark needs Linux")


class FirstBatches:
    """A loader cut to its first batches; the clock runs over those after the warm-up.

    Args:
        loader: what gives batches; everything else it can do stays.
        num_timed: batches on the clock.
    """

    def __init__(self, loader: Any, num_timed: int) -> None:
        self._loader = loader
        self._num_batches = WARM_UP + num_timed
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[Any]:
        number, started = 0, time.perf_counter()
        for number, batch in enumerate(islice(iter(self._loader), self._num_batches), start=1):
            if number == WARM_UP + 1:
                started = time.perf_counter()
            yield batch
        if number < self._num_batches:
            raise ValueError(f"an epoch has {number} batches, {self._num_batches} are wanted")
        self.seconds = time.perf_counter() - started


def report(**values: object) -> None:
    """Print the one line that the harness reads."""
    print(json.dumps(values), flush=True)


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of packages."""
    return {name: metadata.version(name) for name in packages}
