"""What an actor does: one model in a process of its own, on whatever machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from mmrec.features.contract import Fingerprint
from mmrec.features.encode.job import Encoder, prepared
from mmrec.io import DataError

E = TypeVar("E")


@dataclass(frozen=True)
class Plan(Generic[E]):
    """What an actor needs to know; all of it fit to travel."""

    build: Callable[[], Encoder[Any, E]]
    prepare: Callable[[Any], Any] | None
    fingerprint: Fingerprint
    """That the model must have."""
    libraries: Mapping[str, str]
    device: str
    num_threads: int
    """Of torch: as many as where the results are kept, should they matter to the last bit."""


class Worker(Generic[E]):
    """One model, loaded when asked to, so that what is wrong with it is told as any other error."""

    def __init__(self, plan: Plan[E]) -> None:
        self._plan = plan
        self._extractor: Encoder[Any, E] | None = None

    def load(self) -> None:
        """Load the model.

        Raises:
            DataError: it is another one, or computed by other libraries.
        """
        # Read by those who build extractors, and by torch when they import it.
        os.environ["MMREC_DEVICE"] = self._plan.device
        os.environ["OMP_NUM_THREADS"] = str(self._plan.num_threads)
        extractor = self._plan.build()
        expected, found = asdict(self._plan.fingerprint), asdict(extractor.fingerprint)
        _refuse("fingerprint", expected, found)
        _refuse("libraries", _public(self._plan.libraries), _public(extractor.libraries))
        self._extractor = extractor

    def encode(self, raw: list[Any]) -> tuple[E, float]:
        """The results of raw contents, and the seconds it took."""
        assert self._extractor is not None
        started = time.perf_counter()
        found = self._extractor.encode(prepared(raw, self._plan.prepare))
        return found, time.perf_counter() - started


def _public(libraries: Mapping[str, str]) -> dict[str, str]:
    """Without what only tells builds for CPU and CUDA apart."""
    return {name: version.partition("+")[0] for name, version in libraries.items()}


def _refuse(what: str, expected: Mapping[str, object], found: Mapping[str, object]) -> None:
    differing = sorted(
        name for name in {*expected, *found} if expected.get(name) != found.get(name)
    )
    if differing:
        name = differing[0]
        raise DataError(
            f"node {platform.node()}: {what} of its extractor differs in {', '.join(differing)} "
            f"({name}: found {found.get(name)}, expected {expected.get(name)}); give every node "
            "the same model files and the same environment"
        )
