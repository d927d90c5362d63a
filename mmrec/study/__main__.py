"""`mmrec study NAME`, or `python -m mmrec.study`: the tables of studies/NAME.yaml."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.params.study_file import load_study
from mmrec.study.run import run_study, write_results
from mmrec.study.workspace import PROJECT

HELP: Final = "Train what studies/NAME.yaml lacks, and write its tables and figure."
STUDIES: Final = PROJECT / "studies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The study, and where its tables go."""
    known = ", ".join(sorted(path.stem for path in STUDIES.glob("*.yaml")))
    parser.add_argument("name", help=f"one of: {known}")
    parser.add_argument(
        "--seeds", type=int, nargs="+", help="of every training, in place of the study's"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=STUDIES / "results",
        help="folder of tables and figure (studies/results)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run a study of this project."""
    study = load_study(STUDIES / f"{arguments.name}.yaml", seeds=arguments.seeds)
    runs = run_study(arguments.name, study, PROJECT)
    print(write_results(arguments.name, study, runs, arguments.results))


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.study", sys.argv[1:])
