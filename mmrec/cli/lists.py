"""What commands that show lists of items share: filters in, a table or a file out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from mmrec.library.filters import Filters

SUFFIXES: Final = (".parquet", ".csv", ".json")
_SHOWN: Final = ("rank", "item_id", "title", "score")
_WIDEST: Final = 60
"""Characters of a title that are shown."""


def add_new_items(parser: argparse.ArgumentParser) -> None:
    """Items that a run was not trained with."""
    parser.add_argument(
        "--new-items",
        metavar="TABLE",
        type=Path,
        help="items that may be on lists, too, though the run was trained without them",
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """What lists may have."""
    parser.add_argument("-k", type=int, default=10, help="length of a list (10)")
    for name, what in (("exclude", "that no list has"), ("include", "that alone are on lists")):
        ids = parser.add_mutually_exclusive_group()
        ids.add_argument(f"--{name}", metavar="ID,ID", help=f"item ids {what}")
        ids.add_argument(
            f"--{name}-file", metavar="FILE", type=Path, help="the same, a line for each id"
        )
    parser.add_argument("--category", help="only items of this one")
    parser.add_argument(
        "--max-per-category", type=int, metavar="N", help="at most so many of one on a list"
    )
    parser.add_argument(
        "--category-field",
        metavar="FIELD",
        help="field of the source that has it (the words of `report.categories`)",
    )
    parser.add_argument(
        "--diversity",
        type=float,
        default=0.0,
        metavar="X",
        help="0 to 1: how much it counts against an item that one above it is like it (0)",
    )


def filters_of(arguments: argparse.Namespace, *, keep_seen: bool) -> Filters:
    """The filters that were given.

    Raises:
        DataError: a file of ids is missing or empty.
        ValueError: an id is there twice, or a number is out of range.
    """
    from mmrec.library.filters import Filters

    exclude, include = (_ids(arguments, name) for name in ("exclude", "include"))
    return Filters(
        exclude=exclude or [],
        include=include,
        keep_seen=keep_seen,
        category=arguments.category,
        max_per_category=arguments.max_per_category,
        categories=arguments.category_field,
        diversity=arguments.diversity,
    )


def _ids(arguments: argparse.Namespace, name: str) -> list[str] | None:
    text, path = getattr(arguments, name), getattr(arguments, f"{name}_file")
    if path is not None:
        return ids_of_file(path, f"--{name}-file")
    return None if text is None else split_ids(text)


def split_ids(text: str) -> list[str]:
    """Ids between commas, without the spaces around them; of no text none."""
    return [one.strip() for one in text.split(",")] if text.strip() else []


def ids_of_file(path: Path, option: str) -> list[str]:
    """An id from each line that is not empty.

    Raises:
        DataError: the file is missing, no text, or has no ids.
    """
    from mmrec.io import DataError

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataError(f"{option} {path}: file not found; name one with an id in a line") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{option} {path}: not UTF-8 text ({error}); save it as such") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise DataError(f"{option} {path}: found no ids; write one in a line")
    return found


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where lists go."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help=f"write lists to it in place of showing them ({', '.join(SUFFIXES)})",
    )


def check_output(path: Path | None) -> None:
    """Refuse, before anything is computed, a file of a kind that is not written.

    Raises:
        ValueError: it ends in something else.
    """
    if path is not None and path.suffix not in SUFFIXES:
        raise ValueError(f"--output {path}: expected a name that ends in {', '.join(SUFFIXES)}")


def put_out(lists: pl.DataFrame, path: Path | None) -> None:
    """Write lists, or show them.

    Args:
        lists: whose they are first, then `rank`, `item_id`, `title`, `score`.
        path: of the file; None for the terminal.
    """
    if path is None:
        sys.stdout.write(as_text(lists))
        return
    from mmrec.atomic import atomic_path

    with atomic_path(path, num_bytes=int(lists.estimated_size())) as temporary:
        match path.suffix:
            case ".parquet":
                lists.write_parquet(temporary)
            case ".csv":
                lists.write_csv(temporary)
            case _:
                lists.write_json(temporary)
    sys.stdout.write(f"{path}: {lists.height:,} rows\n")


def as_text(lists: pl.DataFrame) -> str:
    """A table of each list, whose it is above it, where there are several."""
    if lists.is_empty():
        return "no item is left for the list\n"
    owner = lists.columns[0]
    width = max(len("item_id"), *(len(item) for item in lists["item_id"]))
    heading = f"rank  {'item_id':<{width}}      score  title"
    lines = []
    for (name,), rows in lists.group_by(owner, maintain_order=True):
        lines += [f"{owner.removesuffix('_id')} {name}", heading]
        lines += [
            f"{rank:>4}  {item:<{width}}  {score:>9.4f}  {_shortened(title)}".rstrip()
            for rank, item, title, score in rows.select(_SHOWN).iter_rows()
        ]
    return "\n".join([*lines, ""])


def _shortened(title: str) -> str:
    plain = " ".join(title.split())
    return plain if len(plain) <= _WIDEST else plain[: _WIDEST - 1] + "…"
