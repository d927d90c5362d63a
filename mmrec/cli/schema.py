"""`mmrec schema`: what an editor needs to complete and check params.yaml while it is written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

HELP: Final = """Print the JSON schema of params.yaml, of studies or of searches, for editors.

With this as its first line, VS Code (with the YAML extension by Red Hat) and all that speak to
yaml-language-server complete params.yaml, explain its settings and mark what is wrong:

  # yaml-language-server: $schema=params.schema.json

The project has them as params.schema.json, study.schema.json and search.schema.json."""


_FOLDERS: Final = {"study": "studies", "search": "searches"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of what, and where it goes."""
    others = parser.add_mutually_exclusive_group()
    for file in ("study", "search"):
        others.add_argument(
            f"--{file}",
            dest="file",
            action="store_const",
            const=file,
            default="params",
            help=f"of the files of {_FOLDERS[file]}/",
        )
    parser.add_argument(
        "--write", metavar="FILE", type=Path, help="write it there in place of showing it"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print or write."""
    from mmrec.reference.schema import schema_text

    text = schema_text(arguments.file)
    if arguments.write is None:
        sys.stdout.write(text)
        return
    from mmrec.io import write_text

    write_text(text, arguments.write)
    print(f"{arguments.write}: written")
