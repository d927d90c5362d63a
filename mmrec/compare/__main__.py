"""`mmrec compare RUN RUN …`, or `python -m mmrec.compare`: tables of runs side by side."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.compare.lists import (
    ListMetrics,
    list_metrics_of_rows,
    lists_as_json,
    lists_as_text,
)
from mmrec.compare.rows import parse_rows, ranks_of_rows, require_known
from mmrec.compare.table import CompareTable, compare_table
from mmrec.evaluation.history_groups import is_history_group
from mmrec.evaluation.lists import is_list_metric
from mmrec.evaluation.metrics import COLD_POSITION_PARTS, is_metric
from mmrec.io import DataError, write_text
from mmrec.params.file import load_params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.report.rendering import require_page_name
from mmrec.report.tables import PARTS
from mmrec.report.two_runs import two_runs_page

_OF_LISTS: Final = "; metrics of lists have no test, and stand below the table of any metric"
HELP: Final = """Are these runs different by more than chance?

A row is a run, or several seeds of one thing as `name=run,run,run`. Every row is compared with the
reference, over the same users."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Rows, and what of them is compared."""
    parser.add_argument("rows", nargs="+", metavar="ROW", help="run, or name=run,run,run")
    parser.add_argument("--metric", default="ndcg@10", help="recall@K, ndcg@K, mrr@K or mrr")
    parser.add_argument(
        "--part", default="all", help=f"{', '.join(PARTS)}; or a history length, 6-10 or 21+"
    )
    parser.add_argument("--reference", help="row that others are compared with (the first)")
    parser.add_argument(
        "--lists",
        metavar="FILE",
        type=Path,
        help="also write a page (HTML) with the lists of two runs side by side",
    )
    parser.add_argument("--json", action="store_true", help="figures as JSON, in full precision")


def run(arguments: argparse.Namespace) -> None:
    """Compare runs of the project in this folder."""
    paths = Paths(Path())
    shown = _two_runs(arguments) if arguments.lists is not None else None
    table, lists = _compared(arguments, paths)
    if shown is not None:
        page = two_runs_page(shown, arguments.part, load_params(paths.params), paths)
        write_text(page, arguments.lists)
    if arguments.json:
        print(json.dumps({**table.as_json(), "lists": lists_as_json(lists)}, indent=2))
    else:
        print(table.as_text() + lists_as_text(lists))
        if shown is not None:
            print(f"lists side by side: {arguments.lists}")


def main(arguments: list[str]) -> None:
    """Compare from the command line."""
    call(Command(HELP, add_arguments, run), "python -m mmrec.compare", arguments)


def _compared(chosen: argparse.Namespace, paths: Paths) -> tuple[CompareTable, ListMetrics]:
    if not is_metric(chosen.metric):
        raise DataError(
            f"--metric: found '{chosen.metric}', allowed are recall@K, ndcg@K, mrr@K with K >= 1, "
            "and mrr" + (_OF_LISTS if is_list_metric(chosen.metric) else "")
        )
    if chosen.part not in PARTS and not is_history_group(chosen.part):
        raise DataError(
            f"--part: found '{chosen.part}', allowed: {', '.join(PARTS)}, and lengths of histories "
            "such as 6-10 or 21+"
        )
    rows = parse_rows(chosen.rows)
    if len(rows) < 2:
        raise DataError(f"found one row, {next(iter(rows))}; name at least two to compare")
    reference = chosen.reference or next(iter(rows))
    if reference not in rows:
        raise DataError(f"--reference: found '{reference}', allowed: {', '.join(rows)}")
    params = load_params(paths.params)
    require_known(rows, params)
    first = next(iter(rows.values()))[0]
    table = compare_table(
        ranks_of_rows(rows, chosen.part, params, paths),
        dataset=ranked_entries(params)[first].dataset,
        metric=chosen.metric,
        part=chosen.part,
        reference=reference,
    )
    return table, list_metrics_of_rows(rows, chosen.part, paths)


def _two_runs(chosen: argparse.Namespace) -> tuple[str, str]:
    """Whose lists are shown: of two rows of a run each."""
    require_page_name("--lists", chosen.lists)
    rows = parse_rows(chosen.rows)
    runs = [run for row in rows.values() for run in row]
    if len(rows) != 2 or len(runs) != 2:
        raise DataError(
            f"--lists: found {len(rows)} rows of {len(runs)} runs, expected two rows of one run "
            "each, whose lists are shown side by side"
        )
    if chosen.part in COLD_POSITION_PARTS:
        raise DataError(f"--lists: found --part {chosen.part}, of which there are no lists")
    return runs[0], runs[1]


if __name__ == "__main__":
    main(sys.argv[1:])
