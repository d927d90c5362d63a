"""`mmrec knockouts RUN`, or `python -m mmrec.knockouts`: what its features are worth to a run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.evaluation.metrics import is_metric
from mmrec.io import write_json, write_text
from mmrec.knockouts.arms import knockout_study
from mmrec.knockouts.results import knockout_markdown, knockout_results
from mmrec.params.file import load_params
from mmrec.params.study import StudyError
from mmrec.paths import Paths
from mmrec.run_paths import knockouts_of
from mmrec.study.run import run_study
from mmrec.study.workspace import PROJECT

HELP: Final = """Does the content of its features help this run?

Trains the run as it is, with its features shuffled, constant and noise, and by IDs alone, in a
workspace of its own, and ranks by the run and IDs together; writes tables, tests and what follows
from them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and what is looked at."""
    parser.add_argument("run", help="a run of params.yaml that reads features")
    parser.add_argument("--seeds", type=int, nargs="+", help="of every training (the run's own)")
    parser.add_argument("--metric", default="recall@10", help="recall@K, ndcg@K or mrr")


def run(arguments: argparse.Namespace) -> None:
    """Knock out the features of a run of this project."""
    print(knock_out(arguments.run, arguments.seeds, arguments.metric, PROJECT))


def knock_out(name: str, seeds: list[int] | None, metric: str, project: Path) -> str:
    """Train what the knock-outs of a run lack, and write their tables; these as text.

    Raises:
        ValueError: there is no such run.
        StudyError: there is no such metric, or the run reads no features.
    """
    if not is_metric(metric) or metric.startswith("mrr@"):
        raise StudyError(f"--metric: found '{metric}', allowed are recall@K, ndcg@K and mrr")
    paths = Paths(project)
    params = load_params(paths.params)
    own = [params.runs[name].seed] if name in params.runs else [0]
    study = knockout_study(params, name, seeds or own, metric)
    runs = run_study(f"knockouts-{name}", study, project)
    results = knockout_results(params, study, runs.ranks.held_out)
    text = knockout_markdown(results)
    kept = project / "studies" / "results"
    kept.mkdir(parents=True, exist_ok=True)
    write_text(text, kept / f"knockouts-{name}.md")
    # Among the run's texts that git keeps, where the report finds it.
    write_json(results, knockouts_of(paths.run(name)))
    return text


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.knockouts", sys.argv[1:])
