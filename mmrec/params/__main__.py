"""`mmrec check`, or `python -m mmrec.params`: check `params.yaml` before anything runs."""

import argparse
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.params.file import load_params
from mmrec.params.protocol import contradictions

HELP: Final = "Check params.yaml of this folder, or another file, before anything runs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file."""
    parser.add_argument(
        "file", type=Path, nargs="?", default=Path("params.yaml"), help="the file (params.yaml)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Say what is wrong with it, or may not be meant."""
    for sentence in contradictions(load_params(arguments.file)):
        sys.stderr.write(f"warning: {arguments.file}: {sentence}\n")


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.params", sys.argv[1:])
