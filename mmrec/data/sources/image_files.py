"""Files of a picture folder, or a column of paths or links, in; picture references out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import polars as pl

from mmrec.data.sources.source import ImageRef, Url
from mmrec.io import DataError

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}


def find_images(
    files: Path, folder: str, item_ids: Iterable[str]
) -> tuple[list[ImageRef], dict[str, int]]:
    """Match the pictures `<item_id>.<ext>` and `<item_id>_<n>.<ext>` of a folder to items.

    An item without a picture has no reference: that is no failure. Files that belong to
    no item, and files with another ending, are counted.
    """
    directory = files / folder
    if not directory.is_dir():
        raise DataError(f"{directory}: folder of pictures not found; check the dataset's source")
    known = set(item_ids)
    found: dict[str, list[tuple[int, str]]] = {}
    skipped = {"picture_of_no_item": 0, "file_with_other_ending": 0}
    for path in directory.iterdir():
        if path.suffix.lower() not in _ENDINGS:
            skipped["file_with_other_ending"] += path.is_file()
            continue
        item_id, number = _owner(path.stem, known)
        if item_id is None:
            skipped["picture_of_no_item"] += 1
        else:
            found.setdefault(item_id, []).append((number, path.name))
    refs = [
        ImageRef(item_id, position, f"{folder}/{name}", directory / name)
        for item_id in sorted(found)
        for position, (_, name) in enumerate(sorted(found[item_id]))
    ]
    return refs, skipped


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
