"""`mmrec tune`: settings of a run searched on validation."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HELP: Final = """Search settings of a run on validation, by a file of `searches/`.

Each trial is trained as the run would be; the test is not looked at, and nothing of the project is
changed. The same call goes on where a search was interrupted, and two at once share the work. What
was found is printed, and is in the report after the next `dvc repro`.

  mmrec tune searches/sasrec.yaml
  mmrec tune searches/sasrec.yaml --write"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The search, and what is done with its best settings."""
    parser.add_argument("file", type=Path, help="of the search, which has its name")
    parser.add_argument(
        "--write",
        nargs="?",
        const="",
        metavar="NAME",
        help="add the best settings to params.yaml, as a model and a run (<run>-tuned)",
    )
    parser.add_argument(
        "--anew", action="store_true", help="put the trials that there are aside and begin again"
    )


def run(arguments: argparse.Namespace) -> None:
    """Search settings of a run of the project in this folder."""
    if find_spec("optuna") is None:
        raise ValueError(
            "the package of the extra `tune` is not installed (optuna); "
            f"{sys.executable} -m pip install --constraint constraints.txt --editable '.[tune]'"
        )
    from mmrec.stage import log_to_stderr, share_cores

    share_cores()
    log_to_stderr(os.environ.get("MMREC_LOG", "info"))
    from mmrec.tune.search import run_search
    from mmrec.tune.target import open_target
    from mmrec.tune.tuned import require_free, tuned_entries, tuned_name, write_tuned

    if arguments.write is not None:  # before hours of trials, and not after them
        target = open_target(arguments.file, Path())
        require_free(tuned_name(target, arguments.write), target.paths.params)
    with _a_line_for_each_trial():
        target, results = run_search(arguments.file, Path(), anew=arguments.anew)
    sys.stdout.write(f"\n{results.text()}")
    tuned = tuned_entries(target, results, arguments.write or None)
    if tuned is None:
        sys.stdout.write("\nNo trial is better than the settings as they are.\n")
    elif arguments.write is None:
        sys.stdout.write(f"\nFor params.yaml (--write adds it):\n\n{tuned.text}")
    else:
        write_tuned(tuned, target)
        sys.stdout.write(
            f"\n{target.paths.params}: model and run '{tuned.name}' were added; "
            f"`dvc repro` trains and tests it, once\n"
        )


@contextmanager
def _a_line_for_each_trial() -> Iterator[None]:
    """No line for each epoch, unless MMREC_LOG asks for some level."""
    loggers = [logging.getLogger(name) for name in ("mmrec.training", "mmrec.models")]
    before = [one.level for one in loggers]
    if "MMREC_LOG" not in os.environ:
        for one in loggers:
            one.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
