"""Encoding by Ray actors: a lost one costs what it had not finished.

Raw contents go to the actors and results come back; only this process reads and writes files.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Final, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from mmrec.features.contract import IntArray
from mmrec.features.encode.job import Encoder, Job
from mmrec.features.encode.ray_cluster import RaySettings, Room, connected, find_room
from mmrec.features.encode.ray_units import SMALLEST_UNIT, UNITS_PER_ACTOR, Unit, Units
from mmrec.features.encode.ray_worker import Plan, Worker
from mmrec.io import DataError

E = TypeVar("E")

logger = logging.getLogger(__name__)

_MOST_LOSSES: Final = 3
"""Actors that may die over one unit before it is given up."""
_MOST_NAMED: Final = 100
_LENGTH_OF_REASON: Final = 300
_PATIENCE_S: Final = 60.0


class RayExecutor:
    """Encodes by one model per actor, on whatever nodes there are."""

    def __init__(self, build: Callable[[], Encoder[Any, Any]], settings: RaySettings) -> None:
        """Connect to nothing yet; `build` is called by actors."""
        self._build = build
        self._settings = settings

    def encode(self, job: Job[Any, Any, E]) -> Generator[tuple[IntArray, E]]:
        """The results of every unit with its places, as units finish.

        Raises:
            DataError: an actor has another model, or several died over the same contents.
            ValueError: there is no cluster, or no room in it.
        """
        if not len(job.places):
            return
        import torch

        num_threads = torch.get_num_threads()
        with connected(self._settings.address):
            room = find_room(self._settings, num_threads=num_threads)
            extractor = job.extractor
            plan = Plan(
                build=self._build,
                prepare=job.prepare,
                fingerprint=extractor.fingerprint,
                libraries=extractor.libraries,
                device=room.device,
                num_threads=num_threads,
            )
            crew = _Crew(plan, room, job)
            try:
                yield from crew.results()
            finally:
                crew.dismiss()


@dataclass(eq=False)
class _Actor:
    handle: Any
    loading: Any
    """Reference to the end of loading; None when it has."""
    units: dict[Any, Unit] = field(default_factory=dict)
    """By reference to the result, in the order in which they are encoded."""

    def next_event(self) -> Any:
        """What will happen first; None if nothing is to be done."""
        return self.loading or next(iter(self.units), None)


class _Crew(Generic[E]):
    """Actors at work on one job."""

    def __init__(self, plan: Plan[E], room: Room, job: Job[Any, Any, E]) -> None:
        self._job = job
        self._name = job.extractor.fingerprint.extractor
        self._room = room
        self._plan = ray.put(plan)
        wanted = -(-len(job.places) // SMALLEST_UNIT)
        self._size = min(room.num_actors, wanted)
        self._units = Units(job, self._size)
        self._returned: deque[Unit] = deque()
        self._losses = 0
        """Since something was finished last."""
        self._actors = [self._start() for _ in range(self._size)]
        logger.info("%d actors of %d CPUs, %g GPUs", self._size, room.num_cpus, room.num_gpus)

    def _start(self) -> _Actor:
        kind: Any = ray.remote(Worker)
        handle = kind.options(
            num_cpus=self._room.num_cpus,
            num_gpus=self._room.num_gpus,
            scheduling_strategy="SPREAD",
        ).remote(self._plan)
        return _Actor(handle, handle.load.remote())

    def dismiss(self) -> None:
        """End all actors."""
        for actor in self._actors:
            ray.kill(actor.handle)

    def results(self) -> Generator[tuple[IntArray, E]]:
        """Results of units with their places, as they finish."""
        while True:
            self._hand_out()
            if not any(actor.units for actor in self._actors) and self._all_drawn():
                return
            actor = self._next_to_report()
            reference = actor.next_event()
            try:
                found = ray.get(reference)
            except RayTaskError as error:
                # What an extractor says of its contents is true on every node.
                raise error.cause from error
            except RayError as error:
                self._replace(actor, error)
                continue
            if actor.loading is not None:
                actor.loading = None
                continue
            unit = actor.units.pop(reference)
            encoded, seconds = found
            self._losses = 0
            self._units.rate = len(unit.places) / max(seconds, 1e-9)
            self._job.advance(len(unit.places))
            yield unit.places, encoded

    def _all_drawn(self) -> bool:
        return not self._returned and self._units.num_left == 0

    def _hand_out(self) -> None:
        ready = [actor for actor in self._actors if actor.loading is None]
        while ready and not self._all_drawn():
            actor = min(ready, key=lambda actor: len(actor.units))
            if len(actor.units) == UNITS_PER_ACTOR:
                return
            unit = self._returned.popleft() if self._returned else self._units.draw()
            actor.units[actor.handle.encode.remote(unit.raw)] = unit

    def _next_to_report(self) -> _Actor:
        events = {actor.next_event(): actor for actor in self._actors}
        events.pop(None, None)
        while True:
            done, _ = ray.wait(list(events), timeout=_PATIENCE_S)
            if done:
                return events[done[0]]
            if all(actor.loading is not None for actor in self._actors):
                logger.warning(
                    "no actor is ready after %.0f s, each needs %d CPUs and %g GPUs; `ray status` "
                    "shows what is free",
                    _PATIENCE_S,
                    self._room.num_cpus,
                    self._room.num_gpus,
                )

    def _replace(self, actor: _Actor, error: RayError) -> None:
        """Start another actor; what the lost one had not finished goes to whoever is free."""
        ray.kill(actor.handle)
        self._actors.remove(actor)
        self._losses += 1
        units = list(actor.units.values())
        self._returned.extendleft(reversed(units))
        why = shorten(str(error), _LENGTH_OF_REASON)
        logger.warning("%s: an actor was lost, its work is done elsewhere: %s", self._name, why)
        if units and actor.loading is None:
            units[0].num_losses += 1
            if units[0].num_losses == _MOST_LOSSES:
                raise self._given_up(units[0].places, why)
        if self._losses > _MOST_LOSSES * self._size:
            raise DataError(
                f"extractor {self._name}: {self._losses} actors died and none finished anything, "
                f"the last by: {why}; look at the memory of the nodes"
            )
        self._actors.append(self._start())

    def _given_up(self, places: IntArray, why: str) -> DataError:
        items = sorted({self._job.item_of(int(place)) for place in places})[:_MOST_NAMED]
        return DataError(
            f"extractor {self._name}: {_MOST_LOSSES} actors died over the same {len(places)} "
            f"contents, the last by: {why}; look at the memory of the nodes and at these items: "
            f"{', '.join(items)}"
        )
