"""The space of a search in; the settings of each of its trials out, the same from the same seed.

What a trial has depends on the seed, its place and the trials before it, and on no state of this
process: a search that goes on after an interruption is the one that was not interrupted.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Mapping
from typing import Any, Final

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler

from mmrec.params.search import SearchParams, SearchRange
from mmrec.seeds import derive_seed

_DIGITS: Final = 4
"""Significant ones of a number from a range: nobody wants to read more in `params.yaml`."""
_WARM_UP: Final = 5
"""Epochs before a trial may be ended: large models begin slowly."""
_SEEDS: Final = 2**32
"""As many do Optuna's samplers know."""


class Sampling:
    """Settings by trial.

    Args:
        search: with the space.
        within: what the entry has now, as far as it is within the space: trial 0.
    """

    def __init__(self, search: SearchParams, within: Mapping[str, Any]) -> None:
        self._search = search
        self._grid: list[dict[str, Any]] = []
        self._as_is = {path: self._encoded(path, value) for path, value in within.items()}
        if search.sampler == "grid":
            choices = {path: list(map(_text, of)) for path, of in search.space.items()}
            combinations = itertools.product(*choices.values())
            self._grid = [dict(zip(choices, one, strict=True)) for one in combinations]

    @property
    def num_trials(self) -> int:
        """How many there are to be, trial 0 among them."""
        return self._search.num_trials or 1 + len(self._grid)

    def of(self, place: int, begun: Mapping[str, Any]) -> tuple[BaseSampler, BasePruner]:
        """What chooses the settings of a trial, and what ends it early.

        Args:
            place: from 0 on.
            begun: settings that the trial had when it was interrupted, as Optuna has them.
        """
        seed = derive_seed(self._search.seed, "search", place) % _SEEDS
        tpe = self._search.sampler == "tpe"
        base = TPESampler(seed=seed) if tpe else RandomSampler(seed=seed)
        fixed = begun
        if place == 0:
            fixed = self._as_is
        elif self._grid:
            fixed = self._grid[place - 1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = PartialFixedSampler(dict(fixed), base)
        prunes = place > 0 and self._search.pruner == "median"
        return sampler, MedianPruner(n_warmup_steps=_WARM_UP) if prunes else NopPruner()

    def suggest(self, trial: optuna.Trial, place: int) -> None:
        """Have the sampler choose; of trial 0, only what is within the space is Optuna's."""
        for path, options in self._search.space.items():
            if place == 0 and path not in self._as_is:
                continue
            if not isinstance(options, SearchRange):
                trial.suggest_categorical(path, [_text(choice) for choice in options])
            elif options.is_whole:
                trial.suggest_int(path, int(options.low), int(options.high), log=options.log)
            else:
                trial.suggest_float(path, options.low, options.high, log=options.log)

    def settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What Optuna chose, as `models` has it."""
        return {
            path: _decoded(options, params[path])
            for path, options in self._search.space.items()
            if path in params
        }

    def _encoded(self, path: str, value: Any) -> Any:
        return value if isinstance(self._search.space[path], SearchRange) else _text(value)


def _decoded(options: SearchRange | list[Any], chosen: Any) -> Any:
    if not isinstance(options, SearchRange):
        return json.loads(chosen)
    if options.is_whole:
        return chosen
    rounded = float(f"{chosen:.{_DIGITS}g}")
    return min(max(rounded, options.low), options.high)


def _text(choice: Any) -> str:
    """Of a choice: Optuna's are plain values, and one of ours may be a whole section."""
    return json.dumps(choice, sort_keys=True)
