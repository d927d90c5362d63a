"""Files of a picture folder, or a column of paths or links, in; picture references out."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from mmrec.data.sources.source import ImageRef, Url
from mmrec.data.spellings import describe_unknown
from mmrec.io import DataError

logger = logging.getLogger(__name__)

_NUMBER = r"_\d+$"
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}


def find_images(
    files: Path, folder: str, item_ids: Iterable[str]
) -> tuple[list[ImageRef], dict[str, int]]:
    """Match the pictures `<item_id>.<ext>` and `<item_id>_<n>.<ext>` of a folder to items.

    An item without a picture has no reference: that is no failure. Files that belong to
    no item, and files with another ending, are counted.

    Raises:
        DataError: there is no such folder, or not one of its pictures belongs to an item.
    """
    directory = files / folder
    if not directory.is_dir():
        raise DataError(f"{directory}: folder of pictures not found; check the dataset's source")
    known = set(item_ids)
    found: dict[str, list[tuple[int, str]]] = {}
    num_other, unmatched = 0, []
    for path in directory.iterdir():
        if path.suffix.lower() not in _ENDINGS:
            num_other += path.is_file()
            continue
        item_id, number = _owner(path.stem, known)
        if item_id is None:
            unmatched.append(path.stem)
        else:
            found.setdefault(item_id, []).append((number, path.name))
    refs = [
        ImageRef(item_id, position, f"{folder}/{name}", directory / name)
        for item_id in sorted(found)
        for position, (_, name) in enumerate(sorted(found[item_id]))
    ]
    tell_of_unmatched(directory, unmatched, len(refs), known)
    if not refs:
        tell_of_none(directory, num_other, f"<item id>.jpg ({', '.join(sorted(_ENDINGS))})")
    return refs, {"picture_of_no_item": len(unmatched), "file_with_other_ending": num_other}


def tell_of_unmatched(
    directory: Path, unmatched: Sequence[str], num_matched: int, known: Collection[str]
) -> None:
    """Say what the pictures that belong to no item are called, and how more would match.

    Args:
        directory: of the pictures.
        unmatched: their names without ending, in any order.
        num_matched: how many pictures belong to an item.
        known: ids of the items.

    Raises:
        DataError: none belongs to an item.
    """
    if not unmatched:
        return
    # A name may hold bytes that are no UTF-8, as of archives packed elsewhere.
    readable = sorted(name.encode("utf-8", "replace").decode() for name in unmatched)
    names = pl.Series(readable, dtype=pl.String)
    ids = pl.Series(list(known), dtype=pl.String)
    described = (
        f"{directory}: {len(unmatched):,} of {len(unmatched) + num_matched:,} pictures belong to"
        f" no item, {describe_unknown(names, ids, variants=[names.str.replace(_NUMBER, '')])}"
    )
    if not num_matched:
        raise DataError(
            f"{described}; name the pictures as the catalogue names its items, or set their folder"
            " to null"
        )
    logger.warning("%s", described)


def tell_of_none(directory: Path, num_other: int, expected: str) -> None:
    """Say that a folder holds no picture at all; that is no failure, but hardly meant.

    Args:
        directory: of the pictures.
        num_other: files in it that are called otherwise.
        expected: how pictures are called.
    """
    logger.warning(
        "%s: found no picture (%s other files); expected %s", directory, f"{num_other:,}", expected
    )


def _owner(stem: str, known: set[str]) -> tuple[str | None, int]:
    if stem in known:
        return stem, -1
    numbered = re.fullmatch(r"(.+)_(\d+)", stem, re.DOTALL)
    if numbered and numbered[1] in known:
        return numbered[1], int(numbered[2])
    return None, 0


def refs_of_paths(files: Path, item_ids: pl.Series, paths: pl.Series) -> Iterator[ImageRef]:
    """References of a column of paths below `files`, a list per item."""
    for item_id, position, link in _named(item_ids, paths):
        path = PurePosixPath(link)
        if path.is_absolute() or ".." in path.parts:
            yield ImageRef(item_id, position, link, None, "outside_folder")
        else:
            yield ImageRef(item_id, position, link, files / path)


def refs_of_urls(item_ids: pl.Series, urls: pl.Series) -> Iterator[ImageRef]:
    """References of a column of addresses, a list per item."""
    for item_id, position, link in _named(item_ids, urls):
        yield ImageRef(item_id, position, link, Url(link.strip()))


def _named(item_ids: pl.Series, links: pl.Series) -> Iterator[tuple[str, int, str]]:
    for item_id, several in zip(item_ids, links, strict=True):
        named = [link for link in (several if several is not None else []) if link]
        for position, link in enumerate(named):
            yield item_id, position, link
