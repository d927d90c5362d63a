"""`mmrec similar`: the items whose vectors of a run are nearest to those of some."""

from __future__ import annotations

import argparse
from typing import Final

from mmrec.cli.lists import (
    add_filters,
    add_new_items,
    add_output,
    check_output,
    filters_of,
    put_out,
)

HELP: Final = """The items that a finished run holds most like one, by the cosine of their vectors.

Runs of models without such vectors, and ensembles, recommend but cannot say what is alike.

  mmrec similar --run demo-mp4sr --item P00012"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, the items, and what may be like them."""
    parser.add_argument("--run", required=True, help="an entry of `runs`")
    parser.add_argument(
        "--item", required=True, action="append", metavar="ID", help="its id; repeatable"
    )
    add_new_items(parser)
    add_filters(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> None:
    """Look for similar items by a run of the project in this folder."""
    check_output(arguments.output)
    filters = filters_of(arguments, keep_seen=True)
    from mmrec.stage import share_cores

    share_cores()
    from mmrec.library.opening import open_run

    found = open_run(arguments.run, new_items=arguments.new_items).similar(
        arguments.item, arguments.k, filters=filters
    )
    put_out(found, arguments.output)
