"""`history.csv`: a line per epoch, on disk as soon as the epoch is over."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from mmrec.evaluation.metrics import is_metric
from mmrec.io import write_text
from mmrec.training.distributed import is_first_process
from mmrec.training.state import HistoryRow

BASE_COLUMNS = ("epoch", "learning_rate", "loss")


def write_history(rows: Sequence[HistoryRow], path: Path) -> None:
    """Write all epochs so far, whole or not at all; floats can be read back exactly.

    The file is rewritten rather than appended to: a training that continues after a kill
    then has each epoch once, whatever the kill left behind. Of several processes the first writes.
    """
    if not is_first_process():
        return
    columns = tuple(rows[0]) if rows else BASE_COLUMNS
    lines = [",".join(columns), *(",".join(repr(row[name]) for name in columns) for row in rows)]
    write_text("\n".join(lines) + "\n", path)


def validation_of(path: Path, epoch: int) -> dict[str, float]:
    """Validation metrics of an epoch, of the file that `write_history` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if int(row["epoch"]) == epoch)
    return {name: float(value) for name, value in row.items() if is_metric(name)}
