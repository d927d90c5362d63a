"""`mmrec track`: finished runs, sent to MLflow."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "MMREC_TRACK"
HELP: Final = """Send finished runs to MLflow: settings, test metrics, histories by epoch, files.

The same run is there once, however often it is sent; trained anew with another result, it is
another one. Nothing of the project is changed.

  mmrec track --to http://127.0.0.1:5000
  MMREC_TRACK=sqlite:///mlflow.db mmrec track demo-mp4sr demo-sasrec"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, and where they go."""
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="an entry of `runs` or `ensembles` (all that are evaluated)",
    )
    parser.add_argument("--to", metavar="URI", help=f"MLflow's tracking URI ({VARIABLE})")
    parser.add_argument(
        "--experiment", metavar="NAME", default="mmrec", help="made if missing (mmrec)"
    )
    parser.add_argument("--no-model", action="store_true", help="without the files of the model")


def run(arguments: argparse.Namespace) -> None:
    """Send runs of the project in this folder, and say of each what became of it."""
    address = arguments.to or os.environ.get(VARIABLE)
    if not address:
        raise ValueError(
            f"--to: found no address, and {VARIABLE} is not set; name an MLflow server, such as "
            "http://127.0.0.1:5000, or a file, such as sqlite:///mlflow.db"
        )
    from mmrec.params.file import load_params
    from mmrec.paths import Paths
    from mmrec.tracking.mlflow_runs import MlflowRuns, require_mlflow
    from mmrec.tracking.tracked import evaluated_names, tracked_runs

    require_mlflow()
    paths = Paths(Path())
    params = load_params(paths.params)
    names = arguments.runs or evaluated_names(params, paths)
    if not names:
        raise ValueError("runs: none is evaluated, so that there is nothing to send; `dvc repro`")
    runs = tracked_runs(names, params, paths, with_model=not arguments.no_model)
    there = MlflowRuns(address, arguments.experiment)
    for one in runs:
        print(f"{one.name}: {there.send(one)}", flush=True)
