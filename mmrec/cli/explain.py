"""`mmrec explain RUN`: what `dvc repro` would do for a run, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

HELP: Final = """What `dvc repro` would do for a run, and why; nothing is run or changed.

Shows the chain of stages that leads to the run, which of them are up to date, what has changed for
the others (code, settings, data), the settings of each, and where results lie."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("run", help="an entry of `runs`, `ensembles` or `pretrainings`")
    parser.add_argument("--brief", action="store_true", help="without the settings of the stages")


def run(arguments: argparse.Namespace) -> None:
    """Explain a run of the project in this folder."""
    from mmrec.explain.text import explanation

    sys.stdout.write(explanation(arguments.run, Path(), settings=not arguments.brief))
