"""`mmrec report`, or `python -m mmrec.report`: all runs on the terminal, or a page of one user."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.io import content_key, write_text
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.paths import Paths, user_pages_of
from mmrec.report.collect import collect_pretrainings, collect_runs
from mmrec.report.identities import shortfalls
from mmrec.report.rendering import require_page_name
from mmrec.report.tables import comparison_rows, format_comparison
from mmrec.report.user_page import user_page

HELP: Final = """Show the comparison of all runs, and where the report with pictures is.

With --user, write a page of one user in its place: the history with pictures, the held-out item
with its rank in every run, and the lists of the runs side by side.

  mmrec report
  mmrec report --user U00001 --run demo-sasrec --run demo-mp4sr"""
_LONGEST_NAME: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A user, where the page of one is wanted."""
    parser.add_argument("--user", metavar="ID", help="write a page of this user of the dataset")
    parser.add_argument(
        "--run",
        action="append",
        metavar="RUN",
        help="with --user: show this run or ensemble; repeatable (all on the report's dataset)",
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="with --user: the page (one in .mmrec/users)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the comparison of the project in this folder, or write the page of a user.

    Raises:
        ValueError: options of a page without a user, or a file that is no page.
    """
    paths = Paths(Path())
    if arguments.user is None:
        if arguments.run or arguments.output:
            raise ValueError("--run and --output are of the page of one user; name them by --user")
        _compare(load_params(paths.params), paths)
        return
    if arguments.output is not None:
        require_page_name("--output", arguments.output)
    page = user_page(arguments.user, arguments.run or [], load_params(paths.params), paths)
    path = arguments.output or own_page(arguments.user, paths)
    write_text(page, path)
    sys.stdout.write(f"user {arguments.user}: {path}\n")


def own_page(user_id: str, paths: Paths) -> Path:
    """A file that the user's id names; with a key where it cannot, so that each has their own."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", user_id)[:_LONGEST_NAME]
    if name != user_id:
        name += f"-{content_key(user_id.encode()).hex()[:12]}"
    return user_pages_of(paths) / f"user-{name}.html"


def _compare(params: Params, paths: Paths) -> None:
    pretrainings = collect_pretrainings(params, paths)
    runs = collect_runs(params, paths, pretrainings)
    marks = "".join(f"! {line}\n" for line in shortfalls([*pretrainings.values()], runs))
    table = format_comparison(comparison_rows(runs))
    sys.stdout.write(f"\n{table}{marks}\nreport: {paths.page}\n")


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.report", sys.argv[1:])
