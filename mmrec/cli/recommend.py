"""`mmrec recommend`: the best items for a history or for users of the dataset."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mmrec.cli.lists import (
    add_filters,
    add_new_items,
    add_output,
    check_output,
    filters_of,
    ids_of_file,
    put_out,
    split_ids,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmrec.library.run import Run

HELP: Final = """The best items of a finished run, for anybody; nothing is trained.

A history is item ids, oldest first, of somebody that the run need not know; a user is one of its
dataset, with everything they did.

  mmrec recommend --run demo-mp4sr --history P00012,P00345 --category lamp
  mmrec recommend --run demo-mp4sr --users users.txt -k 20 --output lists.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, whom to recommend to, and what."""
    parser.add_argument("--run", required=True, help="an entry of `runs` or `ensembles`")
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument(
        "--history", action="append", metavar="ID,ID", help="item ids, oldest first; repeatable"
    )
    whom.add_argument("--user", action="append", metavar="ID", help="of the dataset; repeatable")
    whom.add_argument("--users", metavar="FILE", type=Path, help="a line for each user's id")
    parser.add_argument(
        "--skip-unknown", action="store_true", help="leave unknown items out of histories"
    )
    parser.add_argument(
        "--keep-seen", action="store_true", help="recommend items of the history, too"
    )
    add_new_items(parser)
    add_filters(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> None:
    """Recommend from a run of the project in this folder."""
    check_output(arguments.output)
    filters = filters_of(arguments, keep_seen=arguments.keep_seen)
    from mmrec.stage import share_cores

    share_cores()
    from mmrec.library.opening import open_run

    found = open_run(arguments.run, new_items=arguments.new_items)
    lists = found.recommend(
        _histories(arguments, found),
        arguments.k,
        filters=filters,
        skip_unknown=arguments.skip_unknown,
    )
    put_out(lists, arguments.output)


def _histories(
    arguments: argparse.Namespace, run: Run
) -> Sequence[Sequence[str]] | Mapping[str, Sequence[str]]:
    if arguments.history:
        return [split_ids(text) for text in arguments.history]
    return run.histories_of(arguments.user or ids_of_file(arguments.users, "--users"))
