"""Who encodes what is missing: this process, or actors on any number of machines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import numpy as np

from mmrec.features.extractor import Fingerprint, IntArray
from mmrec.features.prefetch import Prefetched

R = TypeVar("R")
T = TypeVar("T")
E = TypeVar("E")
T_contra = TypeVar("T_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)

ENV_EXECUTOR: Final = "MMREC_EXECUTOR"
FIRST_UNIT: Final = 256
LARGEST_UNIT: Final = 65_536
_SECONDS_PER_UNIT: Final = 30.0
"""What a kill can cost, about: the unit that is being encoded, which is never a small one."""


class Encoder(Protocol[T_contra, E_co]):
    """What extractors of vectors and of token states have in common."""

    @property
    def fingerprint(self) -> Fingerprint:
        """How the results come about."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries in use."""
        ...

    def encode(self, contents: Iterable[T_contra]) -> E_co:
        """The results of the contents, in their order."""
        ...


@dataclass(frozen=True)
class Job(Generic[R, T, E]):
    """Contents to encode: raw, as they are drawn here, and what makes them what a model reads."""

    places: IntArray
    """Which contents, in the order in which they are best encoded."""
    draw: Callable[[IntArray], Iterable[R]]
    """The raw contents of some places, in the order asked for: small, and fit to travel."""
    prepare: Callable[[R], T] | None
    """From raw to content, called where the model is and by several threads; None is nothing."""
    extractor: Encoder[T, E]
    item_of: Callable[[int], str]
    """An item that has the content at a place, for messages."""
    advance: Callable[[int], object] = lambda _: None
    """Told how many more contents are on their way or done."""
    largest_unit: int = LARGEST_UNIT
    """Contents whose results are held at once."""


class Executor(Protocol):
    """Encodes jobs, cut into units as it sees fit: no result depends on how."""

    def encode(self, job: Job[Any, Any, E]) -> Generator[tuple[IntArray, E]]:
        """The results of every unit with its places, in whatever order units finish."""
        ...


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
    from mmrec.features.ray_cluster import ray_settings
    from mmrec.features.ray_executor import RayExecutor

    return RayExecutor(build, ray_settings(os.environ))


def prepared(raw: Iterable[R], prepare: Callable[[R], T] | None) -> Iterable[T]:
    """What a model reads, made of raw contents while the model computes."""
    return cast("Iterable[T]", raw) if prepare is None else Prefetched(prepare, raw)


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
