"""`mmrec demo tables FOLDER`: a small shop's files, to try one's way with own data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

HELP: Final = """Write the files that a small shop would have.

items.csv and orders.csv, pictures/ named after the items, and arrivals.csv with arrivals/: items
that neither knows, for `mmrec recommend --new-items`. All is drawn from a seed, and dirty as real
files are. docs/tutorial.md goes on from here.

  mmrec demo tables data/sources/shop"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder and the size of the shop."""
    parser.add_argument("folder", type=Path, help="a new one, such as data/sources/shop")
    parser.add_argument("--items", type=int, default=150, metavar="N", help="60 or more (150)")
    parser.add_argument("--users", type=int, default=240, metavar="N", help="1 or more (240)")
    parser.add_argument("--seed", type=int, default=7, help="of everything that is drawn (7)")


def run(arguments: argparse.Namespace) -> None:
    """Draw, write, and say what was written."""
    from mmrec.demo.tables import write_tables

    written = write_tables(arguments.items, arguments.users, arguments.seed, arguments.folder)
    for what, (path, count) in zip(written._fields, written, strict=True):
        print(f"{path}: {count:,} {what}")
