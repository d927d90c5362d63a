"""What the rows of a study took: costs of their trainings and rankings in, a table out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import NamedTuple

from mmrec.params.study import StudyParams
from mmrec.paths import Paths, costs_of
from mmrec.study.expansion import Expanded
from mmrec.training.costs import Cost, read_cost
from mmrec.training.finished import RECORD


class Steps(NamedTuple):
    """What a run or an ensemble took; None of what there is not, or was done elsewhere.

    Attributes:
        pretraining: of the one that it starts from, whoever shares it.
        training: or of an ensemble, the search of its weights.
        ranking: of all that is evaluated.
    """

    pretraining: Cost | None
    training: Cost | None
    ranking: Cost | None


Spent = Mapping[str, Sequence[Steps]]
"""Of each row, one of each seed."""

_HEAD = ("", "pre-training, s", "training, s", "ranking, s", "memory, MiB", "GPU, MiB")


def read_spent(expanded: Expanded, workspace: Paths, project: Paths) -> Spent:
    """Costs of what lies in the workspace, wherever of the two it was computed."""
    folders = [costs_of(workspace), costs_of(project)]
    runs, ensembles = expanded.params["runs"], expanded.params["ensembles"]

    def of(name: str) -> Steps:
        results = workspace.run(name)
        pretraining, training = None, workspace.ensemble_weights(name)
        if name not in ensembles:
            start = workspace.pretraining(runs[name]["init_from"]).pretrained
            pretraining = read_cost(start / RECORD, *folders)
            training = results.finetuned / RECORD
        return Steps(
            pretraining,
            read_cost(training, *folders),
            read_cost(results.all_metrics, *folders),
        )

    return {row: [of(name) for name in names] for row, names in expanded.runs.items()}


def spent_markdown(study: StudyParams, spent: Spent) -> str:
    """A table of seconds and memory, means over the seeds; empty where nothing is known."""
    known = [cost for of_row in spent.values() for steps in of_row for cost in steps if cost]
    if not known:
        return ""
    machines = ", or ".join(dict.fromkeys(cost.machine for cost in known))
    lines = [
        f"What it took, means over the seeds ({machines}), from reading the data to the last file, "
        "libraries that are loaded at the first step included; – where there is nothing of it, or "
        "it was not done on this machine. A pre-training that rows share counts for each, "
        f"{_ENSEMBLES if study.ensembles else ''}memory is the most of all steps, and ≥ stands "
        "where a training was interrupted and only what came after is known:",
        "",
        f"| {' | '.join(_HEAD)} |",
        "|---" * len(_HEAD) + "|",
        *(f"| {' | '.join([row, *_cells(of_row)])} |" for row, of_row in spent.items()),
    ]
    return "\n".join([*lines, ""])


_ENSEMBLES = "the training of an ensemble is the search of its weights alone, "


def _cells(of_row: Sequence[Steps]) -> Iterator[str]:
    for step in zip(*of_row, strict=True):
        yield _seconds(step)
    costs = [cost for steps in of_row for cost in steps if cost]
    yield _most(cost.peak_mib for cost in costs)
    yield _most(cost.gpu_mib for cost in costs)


def _seconds(costs: Iterable[Cost | None]) -> str:
    known = [cost for cost in costs if cost]
    if not known:
        return "–"
    at_least = "" if all(cost.whole for cost in known) else "≥ "
    return f"{at_least}{mean(cost.seconds for cost in known):.1f}"


def _most(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known):,.0f}" if known else "–"


def spent_values(spent: Spent) -> dict[str, object]:
    """The same as JSON: by row and seed what each step took."""
    return {
        row: [
            {step: cost and asdict(cost) for step, cost in steps._asdict().items()}
            for steps in of_row
        ]
        for row, of_row in spent.items()
    }
