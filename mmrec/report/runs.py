"""Everything the page says of a run: metrics, training histories, ranks, settings."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from mmrec.io import DataError

History: TypeAlias = Mapping[str, Sequence[float]]
"""Columns of a training history by name; empty where nothing was trained."""


@dataclass(frozen=True)
class RunReport:
    """What the page says of one run.

    Attributes:
        metrics: Content of metrics.json.
        text: Feature that stands for the text of items.
        image: Feature that stands for their pictures.
        init_from: Run whose pre-training this one starts from.
        pretrain_metric: Validation metric that chose the epoch of pre-training.
        finetune_metric: The same of fine-tuning.
        ranks: RANKS, for tests of significance; None leaves them out.
        params: Resolved settings, shown as they are.
    """

    name: str
    dataset: str
    model: str
    metrics: Mapping[str, Any]
    text: str = "none"
    image: str = "none"
    init_from: str = ""
    seed: int = 0
    pretraining: History = field(default_factory=dict)
    pretrain_metric: str = ""
    finetuning: History = field(default_factory=dict)
    finetune_metric: str = ""
    ranks: pa.Table | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def load_history(path: Path) -> History:
    """Columns of a history CSV; empty for a file that is missing or has no rows.

    Raises:
        DataError: a value is not a number; names file, line and column.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path}: not a CSV file ({error}); run the stage that trains it again"
        ) from None
    columns: dict[str, list[float]] = {name: [] for name in (rows[0] if rows else {})}
    for line, row in enumerate(rows, start=2):
        for name, values in columns.items():
            try:
                values.append(float(row[name] or "nan"))
            except (TypeError, ValueError):
                raise DataError(
                    f"{path}:{line}: column '{name}' is {row[name]!r}, expected a number; "
                    "run the stage that trains it again"
                ) from None
    return columns
