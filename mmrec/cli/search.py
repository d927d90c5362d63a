"""`mmrec search`: the items that words or a picture describe, by a feature."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from mmrec.cli.lists import add_filters, add_output, check_output, filters_of, put_out

HELP: Final = """The items whose texts or pictures are most like some words, or like a picture.

Goes by the vectors of a feature, and encodes what is looked for by its extractor: features of
open_clip are searched by words and by pictures, those of sentences by words, others of pictures by
pictures.

  mmrec search --dataset demo --feature clip_image "red striped mug"
  mmrec search --dataset demo --feature clip_image --picture mug.jpg --category mug"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The feature, and what is looked for."""
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument("words", nargs="?", help="what to look for, in quotes")
    query.add_argument("--picture", metavar="FILE", type=Path, help="the same, shown")
    parser.add_argument("--dataset", required=True, help="an entry of `datasets`")
    parser.add_argument("--feature", required=True, help="one of its features, as runs name it")
    add_filters(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> None:
    """Search a feature of the project in this folder."""
    check_output(arguments.output)
    filters = filters_of(arguments, keep_seen=True)
    from mmrec.stage import share_cores

    share_cores()
    from mmrec.library.feature import open_feature

    feature = open_feature(arguments.dataset, arguments.feature)
    found = feature.search(
        arguments.words, picture=arguments.picture, k=arguments.k, filters=filters
    )
    put_out(found, arguments.output)
