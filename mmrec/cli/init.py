"""`mmrec init`: a first params.yaml for someone's own catalogue and log."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mmrec.own_data.proposal import Proposal

HELP: Final = """Write params.yaml for your own catalogue and log.

Looks at names and contents of the columns, and proposes which are users, items, times and their
unit, ratings, texts and pictures. Every guess stands in the file with its reason; what could not be
told is said, with the line to change. The models are those that suit so many users and items
(docs/cold_items.md). The files lie in a folder of the project, such as data/sources/shop."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and where the settings go."""
    parser.add_argument("--items", type=Path, required=True, help="catalogue: .csv, .tsv, .parquet")
    parser.add_argument("--interactions", type=Path, required=True, help="log: likewise")
    parser.add_argument("--pictures", type=Path, help="folder of <item id>.jpg, <item id>_<n>.jpg")
    parser.add_argument("--name", help="of the dataset (that of the folder)")
    parser.add_argument(
        "--output", type=Path, default=Path("params.yaml"), help="file to write (params.yaml)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="for a first look: a small text encoder, few runs and few epochs, not as published",
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def run(arguments: argparse.Namespace) -> None:
    """Propose, write, and say what to look at."""
    from mmrec.io import write_text
    from mmrec.own_data.proposal import propose
    from mmrec.own_data.write import lines_to_change, params_text

    output: Path = arguments.output
    if output.exists() and not arguments.force:
        raise ValueError(
            f"{output} exists and would be lost; name another with --output, or replace it with "
            "--force"
        )
    proposal = propose(
        arguments.items, arguments.interactions, arguments.pictures, Path(), arguments.name
    )
    text, chosen = params_text(proposal, quick=arguments.quick)
    write_text(text, output)
    print(_shown(proposal))
    for sentence in chosen:
        print(f"- {sentence}")
    for doubt in proposal.doubts:
        print(f"? {doubt}")
    for line in lines_to_change(text):
        print(f"! {output}, {line}")
    print(f"\n{output}: written; next `mmrec check {output}`, then `dvc repro`")


def _shown(proposal: Proposal) -> str:
    time = proposal.time
    found = {
        "user": proposal.user,
        "item (log)": proposal.log_id,
        "item (catalogue)": proposal.catalogue_id,
        f"time ({time[1]})" if time else "time": time[0] if time else None,
        "rating": proposal.rating,
        "title": proposal.texts.title,
        **{"text" + " " * place: one for place, one in enumerate(proposal.texts.others)},
        **{"left out" + " " * place: one for place, one in enumerate(proposal.texts.left_out)},
        "pictures": proposal.pictures.files or proposal.pictures.folder,
    }
    return "\n".join(
        f"{name.strip():17} {one.value:20} {one.why}" if one else f"{name:17} -"
        for name, one in found.items()
    )
