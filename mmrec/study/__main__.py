"""`python -m mmrec.study NAME`: train what studies/NAME.yaml lacks, and write its tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmrec.params.study import StudyError, load_study
from mmrec.study.run import run_study, write_results
from mmrec.study.workspace import PROJECT


def main(arguments: list[str]) -> None:
    """Run a study from the command line."""
    folder = PROJECT / "studies"
    known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
    parser = argparse.ArgumentParser(prog="python -m mmrec.study", description=__doc__)
    parser.add_argument("name", help=f"one of: {known}")
    parser.add_argument(
        "--results", type=Path, default=folder / "results", help="folder of tables and figure"
    )
    found = parser.parse_args(arguments)
    study = load_study(folder / f"{found.name}.yaml")
    runs = run_study(found.name, study, PROJECT)
    print(write_results(found.name, study, runs, found.results))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StudyError as error:
        sys.exit(f"error: {error}")
