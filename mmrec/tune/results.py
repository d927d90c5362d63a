"""Trials in; what is kept of them in git, and what is told of them, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import optuna
from optuna.trial import TrialState

from mmrec.io import write_json
from mmrec.params.run_settings import run_settings
from mmrec.run_paths import search_of
from mmrec.tune.target import Target

_ENOUGH: Final = 5
"""Trials from which on it is asked which setting matters: a guess still."""


@dataclass(frozen=True)
class Results:
    """What a search found.

    Attributes:
        search: its name.
        run: what was searched.
        objective: metric of validation.
        num_trials: as many are to be made, trial 0 among them.
        trials: what is known of each that was made, as JSON values.
        importance: of settings, as shares of what the objective varies by; empty where too few
            trials are complete.
        running: trials that other processes are at.
    """

    search: str
    run: str
    objective: str
    num_trials: int
    trials: Sequence[Mapping[str, Any]]
    importance: Mapping[str, float]
    running: int

    @property
    def before(self) -> Mapping[str, Any] | None:
        """Trial 0, the settings as they are; None where it is not made, or failed."""
        return next((one for one in self._complete() if one["trial"] == 0), None)

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The complete trial with the largest objective, the first of equals; None without one."""
        return max(self._complete(), key=lambda one: one["value"], default=None)

    def told(self, trial: int) -> str:
        """A line on a trial that was made."""
        one = next(one for one in self.trials if one["trial"] == trial)
        if one["state"] == "failed":
            what = f"failed: {one['reason']}"
        else:
            what = f"{one['state']}, {self.objective} {one['value']:.4f} in epoch {one['epoch']}"
        best = self.best
        so_far = f"; best {best['value']:.4f} of trial {best['trial']}" if best else ""
        seconds = f"{one['seconds']:.1f} s"
        settings = ", ".join(f"{path} {value}" for path, value in one["settings"].items())
        return f"trial {trial} of {self.num_trials}: {what} ({seconds}{so_far}); {settings}"

    def text(self) -> str:
        """All trials in a table, the best first, and what follows from them."""
        counts = Counter(one["state"] for one in self.trials)
        states = ", ".join(f"{count} {state}" for state, count in counts.items())
        lines = [
            f"search {self.search}: {len(self.trials)} of {self.num_trials} trials of {self.run} "
            f"({states}), by {self.objective} of validation",
            "",
            *self._table(),
            "",
            *self._sentences(),
        ]
        return "\n".join(lines) + "\n"

    def _complete(self) -> list[Mapping[str, Any]]:
        return [one for one in self.trials if one["state"] == "complete"]

    def _table(self) -> Iterator[str]:
        paths = [*dict.fromkeys(path for one in self.trials for path in one["settings"])]
        heads = ["trial", "state", self.objective, "epoch", "seconds", *paths]
        order = {"complete": 0, "pruned": 1, "failed": 2}
        rows = [
            [
                str(one["trial"]),
                one["state"],
                "" if one["value"] is None else f"{one['value']:.4f}",
                "" if one["epoch"] is None else f"{one['epoch']} of {one['epochs']}",
                f"{one['seconds']:.1f}",
                *(str(one["settings"].get(path, "")) for path in paths),
            ]
            for one in sorted(
                self.trials, key=lambda one: (order[one["state"]], -(one["value"] or 0))
            )
        ]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in [heads, *rows]:
            cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()

    def _sentences(self) -> Iterator[str]:
        for one in self.trials:
            if one["reason"]:
                yield f"trial {one['trial']} failed: {one['reason']}"
        if self.running:
            yield f"{self.running} more are being made by other processes"
        best, before = self.best, self.before
        if best is None:
            yield "no trial is complete"
            return
        if self.importance:
            shares = (f"{path} {share:.2f}" for path, share in self.importance.items())
            yield f"importance (fANOVA): {', '.join(shares)}"
        yield f"best: trial {best['trial']}, {self.objective} {best['value']:.4f}"
        if before is not None:
            yield f"before: trial 0, the settings as they are, {before['value']:.4f}"
        yield (
            f"The best of {len(self._complete())} was chosen by this very figure, so that it is "
            "too high: expect less on the test, and\nof a difference as small as that of two "
            "seeds, nothing."
        )


def results_of(
    target: Target,
    trials: Sequence[Mapping[str, Any]],
    num_trials: int,
    running: int,
    study: optuna.Study,
) -> Results:
    """What is known of a search now."""
    return Results(
        search=target.name,
        run=target.search.run,
        objective=target.search.objective,
        num_trials=num_trials,
        trials=trials,
        importance=_importance(study, [*target.search.space], target.search.seed),
        running=running,
    )


def write_results(results: Results, target: Target) -> None:
    """Keep them among the run's texts that git has, where the report finds them."""
    search = target.search
    found = {
        **{name: getattr(results, name) for name in ("search", "run", "objective", "num_trials")},
        "seed": search.seed,
        "sampler": search.sampler,
        "pruner": search.pruner,
        # A list: JSON that is written with sorted keys keeps its order alone.
        "space": [
            {
                "setting": path,
                "options": options if isinstance(options, list) else options.model_dump(),
            }
            for path, options in search.space.items()
        ],
        "settings": run_settings(target.params, search.run),
        "trials": results.trials,
        "importance": results.importance,
    }
    write_json(found, search_of(target.paths.run(search.run), target.name))


def _importance(study: optuna.Study, paths: list[str], seed: int) -> dict[str, float]:
    made = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    values = [one.value for one in made if one.params.keys() >= {*paths}]
    if len(paths) < 2 or len(values) < _ENOUGH or len({*values}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator, params=paths)
