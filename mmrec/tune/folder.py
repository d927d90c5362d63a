"""The folder of a search: its trials in Optuna's database, and who is at which of them.

Several processes may work on one search. Each holds the file of its trial's place locked while it
trains; the system lets go of a lock when its process ends, however it ends, so that a trial without
a process is seen, and made again with the same settings.
"""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import optuna
from optuna.trial import FrozenTrial, TrialState

from mmrec.io import read_json, write_json
from mmrec.params.search import SearchError
from mmrec.tune.sampling import Sampling

PLACE: Final = "place"
REASON: Final = "reason"
"""Of a failed trial, its last attribute; one without was interrupted, and does not count."""
_BUSY_S: Final = 60
"""Seconds to wait for another process that writes to the database."""

logger = logging.getLogger(__name__)


class Claim(NamedTuple):
    """A trial that this process is to make."""

    place: int
    """From 0 on; 0 has the settings as they are."""
    trial: optuna.Trial
    work: Path
    """An empty folder of its own."""


class SearchFolder:
    """Trials of one search.

    Args:
        folder: of the search, in `.mmrec/searches`; made where it is missing.
        sampling: says which settings a trial has.
        num_trials: how many there are to be.
    """

    def __init__(self, folder: Path, sampling: Sampling, num_trials: int) -> None:
        self._folder, self._sampling, self._num_trials = folder, sampling, num_trials
        self._places = folder / "places"
        self._places.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with _locked(folder):  # or two processes would both make the tables
            self._study = optuna.create_study(
                study_name="search",
                storage=optuna.storages.RDBStorage(
                    f"sqlite:///{folder.absolute() / 'trials.db'}",
                    engine_kwargs={"connect_args": {"timeout": _BUSY_S}},
                ),
                direction="maximize",
                load_if_exists=True,
            )

    @property
    def study(self) -> optuna.Study:
        """Optuna's."""
        return self._study

    def alone(self) -> AbstractContextManager[None]:
        """No other process begins a trial, or does what is done inside."""
        return _locked(self._folder)

    @contextmanager
    def claim(self) -> Iterator[Claim | None]:
        """The first trial that nobody has made or is at; None where there is none left."""
        with _locked(self._folder):
            held = self._first_free()
            if held is not None:
                place, lock = held
                claim = self._ask(place)
        if held is None:
            yield None
            return
        try:
            yield claim
        finally:
            shutil.rmtree(claim.work, ignore_errors=True)
            lock.close()

    def trials(self) -> list[FrozenTrial]:
        """Those that count, by place; of those that are being made, none."""
        found = [one for one in self._study.get_trials(deepcopy=False) if _counts(one)]
        return sorted(found, key=lambda one: one.user_attrs[PLACE])

    def running(self) -> int:
        """How many trials other processes are at."""
        return sum(_lock(path) is None for path in self._places.iterdir())

    def _first_free(self) -> tuple[int, IO[str]] | None:
        """A place with its lock, which holds as long as it is open."""
        taken = self._taken()
        for place in range(self._num_trials):
            if place in taken:
                continue
            lock = _lock(self._places / f"{place:05d}")
            if lock is None:
                continue
            taken = self._taken()  # its process may have ended between the two looks
            if place not in taken:
                return place, lock
            lock.close()
        return None

    def _taken(self) -> set[int]:
        return {one.user_attrs[PLACE] for one in self.trials()}

    def _ask(self, place: int) -> Claim:
        interrupted = self._interrupted(place)
        if interrupted:
            logger.warning("trial %d was interrupted; it is made again", place)
        study = self._study
        study.sampler, study.pruner = self._sampling.of(place, interrupted)
        trial = study.ask()
        trial.set_user_attr(PLACE, place)
        self._sampling.suggest(trial, place)
        work = self._folder / "work" / f"{place:05d}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        return Claim(place, trial, work)

    def _interrupted(self, place: int) -> Mapping[str, Any]:
        """What the trial at this place had that somebody began; it is put aside."""
        params: Mapping[str, Any] = {}
        begun = (TrialState.RUNNING, TrialState.FAIL)
        for one in self._study.get_trials(deepcopy=False, states=begun):
            if one.user_attrs.get(PLACE) != place:
                continue
            params = one.params
            if one.state == TrialState.RUNNING:
                self._study.tell(one.number, state=TrialState.FAIL)
        return params


def begin(folder: Path, decisive: Mapping[str, Any], *, anew: bool) -> None:
    """Make sure that what decides the trials is what it was when the search began.

    Args:
        folder: of the search.
        decisive: what decides trials, by section.
        anew: whether trials of before are put aside.

    Raises:
        SearchError: something is another; or it is to begin anew while others are at it.
    """
    with _locked(folder):
        if anew and folder.exists():
            _put_aside(folder)
        began = folder / "search.json"
        if not began.exists():
            write_json(decisive, began)
            return
        then = read_json(began)
    now = json.loads(json.dumps(decisive))
    changed = sorted(name for name in {*then, *now} if then.get(name) != now.get(name))
    if changed:
        raise SearchError(
            f"search '{folder.name}' was begun with other settings ({', '.join(changed)} changed "
            "since), and its trials cannot be compared with new ones; give the file another name, "
            "or begin with --anew, which puts these trials aside"
        )


def _put_aside(folder: Path) -> None:
    places = folder / "places"
    if places.exists() and any(_lock(path) is None for path in places.iterdir()):
        raise SearchError(f"search '{folder.name}' is being made by another process; end it first")
    number = 1
    while (aside := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(aside)
    logger.warning("the trials of before are kept in %s", aside)


def _counts(trial: FrozenTrial) -> bool:
    if REASON in trial.user_attrs:
        return True  # even if its process was killed before Optuna was told that it ended
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone with the search: the file lies beside its folder, which may be put aside."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock(path: Path) -> IO[str] | None:
    """The file, locked until it is closed; None where another process has it."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
