"""`mmrec demo encoders FOLDER`, or `python -m mmrec.demo.encoders`: encoders to try things with."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from mmrec.command import Command, call
from mmrec.demo.encoders.write import NAMES, weights_of, write_encoders

HELP: Final = """Write small local encoders, to try token states offline.

`clip` is the demo's own CLIP, exactly, in transformers' format. All others (text: bert, roberta,
electra; pictures: vit_mae, swin, resnet; both: groupvit, vilt, visual_bert, flava) have RANDOM
weights: with them a study shows that it runs, not which encoder is better. FOLDER is data/encoders
by convention, which git ignores; params.yaml then says `model: data/encoders/vit_mae`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", type=Path, help="data/encoders, say")


def run(arguments: argparse.Namespace) -> None:
    """Write all encoders and say what they are."""
    written = write_encoders(arguments.folder)
    print(f"{len(written)} encoders:")
    for name, path in zip(NAMES, written, strict=True):
        print(f"  {path}: weights are {weights_of(name)}")
    print("Rows of random weights show that a study runs, not which encoder is better.")


if __name__ == "__main__":
    call(Command(HELP, add_arguments, run), "python -m mmrec.demo.encoders", sys.argv[1:])
