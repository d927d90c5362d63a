"""`mmrec export`: a finished run as a folder of its own, without its project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

HELP: Final = """Write a finished run as a folder that needs neither DVC nor the project's data.

It has the weights, the settings, the items with titles and vectors, the features that the model
reads of them, and a card; no user, and no interaction. `mmrec recommend --run FOLDER/` and
`open_run(Path(FOLDER))` recommend from it anywhere.

`--onnx` adds its towers as ONNX graphs, which rank without torch or mmrec (docs/onnx.md).

  mmrec export demo-mp4sr exported/demo-mp4sr"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run and the folder."""
    parser.add_argument("run", help="an entry of `runs`")
    parser.add_argument("folder", type=Path, help="a new one")
    parser.add_argument("--onnx", action="store_true", help="with the towers of the model as ONNX")


def run(arguments: argparse.Namespace) -> None:
    """Export a run of the project in this folder."""
    from mmrec.stage import share_cores

    share_cores()
    from mmrec.library.exporting import export_run

    export_run(arguments.run, arguments.folder, onnx=arguments.onnx)
    files = [path for path in arguments.folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    sys.stdout.write(f"{arguments.folder}: {len(files)} files, {size / 2**20:.1f} MiB\n")
