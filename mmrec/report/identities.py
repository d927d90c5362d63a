"""What sets each run apart: runs in, rows of a table out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmrec.evaluation.metrics import REFERENCES, reference_column
from mmrec.report.runs import History, PretrainingReport, RunReport

NONE = "–"
_REFERENCES = {"random": "a random ranking", "popularity": "items by popularity"}


@dataclass(frozen=True)
class Identity:
    """A run in words; what it has none of is a dash."""

    run: str
    model: str
    text: str
    image: str
    starts_from: str
    seed: int | str
    pretraining: str
    finetuning: str
    pretraining_shortfall: str
    finetuning_shortfall: str


def identities(runs: Sequence[RunReport]) -> list[Identity]:
    """A row for each run, with the pre-training that it starts from."""
    return [
        Identity(
            run=run.name,
            model=run.model,
            text=feature(run.text),
            image=feature(run.image),
            starts_from=_start(run),
            seed=NONE if run.seed is None else run.seed,
            pretraining=epochs(*_pretrained(run)),
            finetuning=epochs(run.finetuning, run.finetune_metric),
            pretraining_shortfall=shortfall(*_pretrained(run)),
            finetuning_shortfall=shortfall(run.finetuning, run.finetune_metric),
        )
        for run in runs
    ]


def ensemble_in_words(found: Mapping[str, Any]) -> str:
    """Parts of an ensemble and their weights, from what is known of these.

    >>> ensemble_in_words({"parts": ["ids", "text"], "weights": [[[0.25, 0.75]]]})
    'ensemble: 0.25 ids + 0.75 text'
    """
    parts, weights = found["parts"], found["weights"]
    if len(weights) * len(weights[0]) > 1:
        return f"ensemble, weights by group: {' + '.join(parts)}"
    told = (f"{weight:g} {part}" for weight, part in zip(weights[0][0], parts, strict=True))
    return f"ensemble: {' + '.join(told)}"


def epochs(history: History, metric: str) -> str:
    """`10 epochs, best 8`: how long a training ran, and which epoch was the best.

    >>> epochs({"epoch": [1, 2, 3], "recall@20": [0.1, 0.3, 0.2]}, "recall@20")
    '3 epochs, best 2'
    """
    numbers = history.get("epoch", [])
    if not numbers:
        return NONE
    count = f"{len(numbers)} epoch{'' if len(numbers) == 1 else 's'}"
    values = _comparable(history, metric)
    if not values or max(values) == -math.inf:
        return count
    return f"{count}, best {numbers[values.index(max(values))]:.0f}"


def shortfall(history: History, metric: str) -> str:
    """What the best epoch is no better than: a ranking that has learned nothing. Empty if none.

    >>> shortfall({"recall@20": [0.1, 0.2], "recall@20_random": [0.2, 0.2]}, "recall@20")
    'no better than a random ranking (0.2000)'
    """
    values = _comparable(history, metric)
    for name in REFERENCES:
        reference = history.get(reference_column(metric, name))
        if values and reference and max(values) <= reference[0]:
            return f"no better than {_REFERENCES[name]} ({reference[0]:.4f})"
    return ""


def shortfalls(
    pretrainings: Sequence[PretrainingReport], runs: Sequence[RunReport]
) -> Iterator[str]:
    """A line for each training of which `shortfall` says something."""
    for pretraining in pretrainings:
        if short := shortfall(pretraining.history, pretraining.metric):
            yield f"{pretraining.name}: pre-training is {short}"
    for run in runs:
        if short := shortfall(run.finetuning, run.finetune_metric):
            yield f"{run.name}: fine-tuning is {short}"


def feature(name: str) -> str:
    """A feature as shown."""
    return NONE if name == "none" else name


def _pretrained(run: RunReport) -> tuple[History, str]:
    return (run.pretraining.history, run.pretraining.metric) if run.pretraining else ({}, "")


def _comparable(history: History, metric: str) -> list[float]:
    return [-math.inf if math.isnan(value) else value for value in history.get(metric, [])]


def _start(run: RunReport) -> str:
    if run.pretraining:
        return run.pretraining.name
    return "random weights" if run.finetuning else NONE
