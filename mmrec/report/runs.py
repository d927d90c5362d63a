"""Everything the page says of a run: metrics, training histories, ranks, settings."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from mmrec.io import DataError

History: TypeAlias = Mapping[str, Sequence[float]]
"""Columns of a training history by name; empty where nothing was trained."""


@dataclass(frozen=True)
class PretrainingReport:
    """What the page says of one pre-training.

    Attributes:
        text: Feature that stands for the text of items.
        image: Feature that stands for their pictures.
        metric: Validation metric that chose the epoch.
        has_users: Whether its dataset has any.
        params: Resolved settings, shown as they are.
    """

    name: str
    dataset: str
    model: str
    text: str = "none"
    image: str = "none"
    seed: int = 0
    history: History = field(default_factory=dict)
    metric: str = ""
    has_users: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KnockoutReport:
    """Tables of the knock-outs of a run, and what follows from them.

    Attributes:
        parts: Content of knockouts.json by the name of the part.
        changed: Sections of settings that are others now than when it was found.
    """

    run: str
    seeds: list[int]
    parts: Mapping[str, Mapping[str, Any]]
    changed: list[str]


@dataclass(frozen=True)
class SearchReport:
    """A search for better settings of a run.

    Attributes:
        name: Of the search.
        found: Content of its file.
        changed: Sections of settings that are others now than when it was made.
    """

    name: str
    run: str
    found: Mapping[str, Any]
    changed: list[str]


@dataclass(frozen=True)
class RunReport:
    """What the page says of one run.

    Attributes:
        metrics: All metrics of all groups of users.
        text: Feature that stands for the text of items.
        image: Feature that stands for their pictures.
        seed: None of an ensemble, which draws nothing.
        pretraining: That it starts from; None for fresh weights.
        finetune_metric: Validation metric that chose the epoch of fine-tuning.
        ranks: RANKS, for tests of significance; None leaves them out.
        cold_ranks: The same of cold positions; None where they are not ranked.
        knockouts: What it loses without content; None where that was not asked for.
        searches: For better settings of it.
        params: Resolved settings, shown as they are.
    """

    name: str
    dataset: str
    model: str
    metrics: Mapping[str, Any]
    text: str = "none"
    image: str = "none"
    pretraining: PretrainingReport | None = None
    seed: int | None = 0
    finetuning: History = field(default_factory=dict)
    finetune_metric: str = ""
    ranks: pa.Table | None = None
    cold_ranks: pa.Table | None = None
    knockouts: KnockoutReport | None = None
    searches: Sequence[SearchReport] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


def load_history(path: Path) -> History:
    """Columns of a history CSV; empty for a file that is missing or has no rows.

    A value that is left out is NaN; a line that ends early is an error.

    Raises:
        DataError: it is no CSV, or a value is not a number; names file, line and column.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not CSV ({error}); run the stage that trains it again") from None
    columns: dict[str, list[float]] = {name: [] for name in (rows[0] if rows else {})}
    for line, row in enumerate(rows, start=2):
        for name, values in columns.items():
            try:
                values.append(math.nan if row[name] == "" else float(row[name]))
            except (TypeError, ValueError):
                raise DataError(
                    f"{path}:{line}: column '{name}' is {row[name]!r}, expected a number; "
                    "run the stage that trains it again"
                ) from None
    return columns
