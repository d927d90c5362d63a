"""The Ray cluster at hand: where it is, and how many actors of which kind it has room for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor
from typing import Any, Final

import ray

ENV_ADDRESS: Final = "MMREC_RAY_ADDRESS"
ENV_ACTORS: Final = "MMREC_RAY_ACTORS"
ENV_GPUS: Final = "MMREC_RAY_GPUS_PER_ACTOR"


@dataclass(frozen=True)
class RaySettings:
    """Which cluster, and how much of it."""

    address: str | None
    """None is Ray's own choice: a cluster on this machine, or one that is started for this run."""
    actors: int | None
    """At most so many; None is as many as there is room for."""
    gpus_per_actor: float | None
    """None is one where the cluster has any, else none."""


@dataclass(frozen=True)
class Room:
    """What one actor takes, and how many the cluster has room for."""

    num_cpus: int
    num_gpus: float
    num_actors: int

    @property
    def device(self) -> str:
        """Where an actor computes."""
        return "cuda" if self.num_gpus else "cpu"


def ray_settings(environment: Mapping[str, str]) -> RaySettings:
    """The settings in environment variables.

    Raises:
        ValueError: one of them is no number of its kind.
    """
    actors, gpus = environment.get(ENV_ACTORS), environment.get(ENV_GPUS)
    if actors and not (actors.isdecimal() and int(actors) > 0):
        raise ValueError(f"{ENV_ACTORS}: found '{actors}', expected a whole number above 0")
    return RaySettings(
        address=environment.get(ENV_ADDRESS) or None,
        actors=int(actors) if actors else None,
        gpus_per_actor=_gpus(gpus) if gpus else None,
    )


def _gpus(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    # Ray shares one GPU between actors, and gives several whole ones to an actor.
    if not (0 <= found < 1 or (found.is_integer() and found >= 1)):
        raise ValueError(
            f"{ENV_GPUS}: found '{text}', expected 0, a fraction such as 0.5, or a whole number"
        )
    return found


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Within, Ray is connected; to what it was before, if it was.

    Raises:
        ValueError: there is no such cluster, or not of this version of Ray and Python.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{ENV_ADDRESS}={address or ''}: no Ray cluster there that this process can join "
            f"({error}); start it with `ray start`, from the same environment"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def find_room(settings: RaySettings, *, num_threads: int) -> Room:
    """Room for actors on the nodes there are.

    Args:
        settings: how many are wanted, and GPUs for each.
        num_threads: of an actor that computes on the CPU.

    Raises:
        ValueError: no node has room for one.
    """
    described: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes: list[dict[str, float]] = [node["Resources"] for node in described if node["Alive"]]
    gpus = settings.gpus_per_actor
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU") for node in nodes) else 0.0
    cpus = 1 if gpus else num_threads
    count = sum(_fitting(node, cpus, gpus) for node in nodes)
    if not count:
        largest: Any = [(node.get("CPU", 0.0), node.get("GPU", 0.0)) for node in nodes]
        raise ValueError(
            f"no node has room for an actor of {cpus} CPUs and {gpus:g} GPUs; found nodes of "
            f"(CPUs, GPUs) {largest}; lower OMP_NUM_THREADS or {ENV_GPUS}, or add nodes"
        )
    return Room(cpus, gpus, min(count, settings.actors or count))


def _fitting(node: Mapping[str, float], cpus: int, gpus: float) -> int:
    by_cpus = floor(node.get("CPU", 0.0) / cpus)
    if not gpus:
        return by_cpus
    have = node.get("GPU", 0.0)
    # A share of a GPU is a share of one GPU.
    return min(by_cpus, floor(have) * floor(1 / gpus) if gpus < 1 else floor(have / gpus))
