"""`mmrec report`, or `python -m mmrec.report`: all runs on the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.params.file import load_params
from mmrec.paths import Paths
from mmrec.report.collect import collect_pretrainings, collect_runs
from mmrec.report.identities import shortfalls
from mmrec.report.tables import comparison_rows, format_comparison

HELP: Final = "Show the comparison of all runs, and where the report with pictures is."


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> None:
    """Print the comparison of the project in this folder."""
    paths = Paths(Path())
    params = load_params(paths.params)
    pretrainings = collect_pretrainings(params, paths)
    runs = collect_runs(params, paths, pretrainings)
    marks = "".join(f"! {line}\n" for line in shortfalls([*pretrainings.values()], runs))
    table = format_comparison(comparison_rows(runs))
    sys.stdout.write(f"\n{table}{marks}\nreport: {paths.page}\n")


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.report", sys.argv[1:])
