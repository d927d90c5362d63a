"""Who encodes what is missing: this process, or actors on any number of machines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from importlib.util import find_spec
from itertools import islice
from typing import Any, Final, TypeVar

import numpy as np

from mmrec.features.contract import IntArray
from mmrec.features.encode.job import (
    FIRST_UNIT,
    LARGEST_UNIT,
    Encoder,
    Executor,
    Job,
    prepared,
)

R = TypeVar("R")
E = TypeVar("E")

ENV_EXECUTOR: Final = "MMREC_EXECUTOR"
_SECONDS_PER_UNIT: Final = 30.0
"""What a kill can cost, about: the unit that is being encoded, which is never a small one."""


class LocalExecutor:
    """Encodes in this process, unit after unit."""

    def encode(self, job: Job[Any, Any, E]) -> Generator[tuple[IntArray, E]]:
        """The results of every unit with its places, in the order of the job."""
        drawn = _counted(job.draw(job.places), job.advance)
        for unit in _units(job.places, job.largest_unit):
            raw = islice(drawn, len(unit))
            yield unit, job.extractor.encode(prepared(raw, job.prepare))


LOCAL: Final = LocalExecutor()


def choose_executor(build: Callable[[], Encoder[Any, Any]]) -> Executor:
    """`MMREC_EXECUTOR`: `local` (the default), or `ray`.

    Args:
        build: loads the extractor on another machine: fit to travel, such as a
            `functools.partial` of a function and its params.

    Raises:
        ValueError: the executor is unknown or not installed, or its settings are wrong.
    """
    name = os.environ.get(ENV_EXECUTOR) or "local"
    if name == "local":
        return LOCAL
    if name != "ray":
        raise ValueError(f"{ENV_EXECUTOR}: found '{name}', allowed: local, ray")
    if find_spec("ray") is None:
        raise ValueError(f"{ENV_EXECUTOR}=ray: ray is not installed; pip install 'mmrec[ray]'")
    from mmrec.features.encode.ray_cluster import ray_settings
    from mmrec.features.encode.ray_executor import RayExecutor

    return RayExecutor(build, ray_settings(os.environ))


def _counted(raw: Iterable[R], advance: Callable[[int], object]) -> Iterator[R]:
    for one in raw:
        advance(1)
        yield one


def _units(places: IntArray, largest: int) -> Iterator[IntArray]:
    """Cut into units that take about as long as may be lost, by the speed of those before."""
    begin, count = 0, min(FIRST_UNIT, largest)
    while begin < len(places):
        started = time.perf_counter()
        yield places[begin : begin + count]
        begin += count
        rate = count / max(time.perf_counter() - started, 1e-9)
        count = min(int(np.clip(rate * _SECONDS_PER_UNIT, FIRST_UNIT, LARGEST_UNIT)), largest)
