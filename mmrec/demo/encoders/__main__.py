"""`python -m mmrec.demo.encoders FOLDER`: small local encoders, to try token states offline.

`clip` is the demo's own CLIP, exactly, in transformers' format. All others (text: bert, roberta,
electra; pictures: vit_mae, swin, resnet; both: groupvit, vilt, visual_bert, flava) have RANDOM
weights: with them a study shows that it runs, not which encoder is better. FOLDER is data/encoders
by convention, which git ignores; params.yaml then says `model: data/encoders/vit_mae`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmrec.demo.encoders.write import NAMES, weights_of, write_encoders
from mmrec.io import DataError


def main(arguments: list[str]) -> None:
    """Write all encoders and say what they are."""
    parser = argparse.ArgumentParser(prog="python -m mmrec.demo.encoders", description=__doc__)
    parser.add_argument("folder", type=Path, help="data/encoders, say")
    written = write_encoders(parser.parse_args(arguments).folder)
    print(f"{len(written)} encoders:")
    for name, path in zip(NAMES, written, strict=True):
        print(f"  {path}: weights are {weights_of(name)}")
    print("Rows of random weights show that a study runs, not which encoder is better.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (DataError, OSError) as error:
        sys.exit(f"error: {error}")
