"""`mmrec schema`: what an editor needs to complete and check params.yaml while it is written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

HELP: Final = """Print the JSON schema of params.yaml, or of the files of studies/, for editors.

With this as its first line, VS Code (with the YAML extension by Red Hat) and all that speak to
yaml-language-server complete params.yaml, explain its settings and mark what is wrong:

  # yaml-language-server: $schema=params.schema.json

The project has both schemas as params.schema.json and study.schema.json."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of what, and where it goes."""
    parser.add_argument("--study", action="store_true", help="of the files of studies/")
    parser.add_argument(
        "--write", metavar="FILE", type=Path, help="write it there in place of showing it"
    )


def run(arguments: argparse.Namespace) -> None:
    """Print or write."""
    from mmrec.params.pipeline import Params
    from mmrec.params.study import StudyParams
    from mmrec.reference.schema import schema_text

    text = schema_text(StudyParams if arguments.study else Params)
    if arguments.write is None:
        sys.stdout.write(text)
        return
    from mmrec.io import write_text

    write_text(text, arguments.write)
    print(f"{arguments.write}: written")
