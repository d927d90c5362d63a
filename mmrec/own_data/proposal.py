"""Two files and a folder of pictures in; what their columns are taken for out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from mmrec.data.sources.times import Unit
from mmrec.data.spellings import describe_unknown
from mmrec.io import DataError
from mmrec.own_data.catalogue import Pictures, Texts, guess_pictures, guess_texts
from mmrec.own_data.log import (
    Guess,
    ItemColumns,
    guess_items,
    guess_rating,
    guess_time,
    guess_user,
)
from mmrec.own_data.look import Look, look
from mmrec.own_data.size import Size, size_of

UNKNOWN: Final = "CHANGE_ME"
"""Stands in params.yaml where a column must be named and none was found."""


@dataclass(frozen=True)
class Proposal:
    """What is written of someone's files, and what could not be told."""

    name: str
    """Of the dataset."""
    files: Path
    """Folder of the source, below that of the project."""
    catalogue: Look
    log: Look
    catalogue_id: Guess
    log_id: Guess
    user: Guess
    time: tuple[Guess, Unit] | None
    rating: Guess | None
    texts: Texts
    pictures: Pictures
    size: Size | None
    """None where the columns of users or items are not known."""
    user_core: Guess
    doubts: list[str] = field(default_factory=list)
    """Sentences about what was not found, or may be wrong."""


def propose(
    items: Path, interactions: Path, pictures: Path | None, project: Path, name: str | None
) -> Proposal:
    """Look at someone's files.

    Raises:
        DataError: a file is no table, or they lie where the project cannot take them from.
    """
    files = _folder_of([items, interactions, *([pictures] if pictures else [])], project, name)
    catalogue, log = look(items), look(interactions)
    doubts: list[str] = []
    found = guess_items(catalogue, log)
    catalogue_id, log_id = _ids(found, catalogue, log, doubts)
    taken = [log_id.value]
    time = guess_time(log, taken)
    rating = guess_rating(log, [*taken, *([time[0].value] if time else [])])
    others = [*taken, *(one.value for one in (time and time[0], rating) if one)]
    user = guess_user(log, others)
    _doubt_of_log(user, time, log, doubts)
    texts = guess_texts(catalogue, [catalogue_id.value])
    ids = catalogue.all_ids(catalogue_id.value) if found else pl.Series([], dtype=pl.String)
    seen = guess_pictures(catalogue, ids, files, pictures, [catalogue_id.value])
    _doubt_of_catalogue(texts, seen, catalogue, doubts)
    core = _core(log, user)
    return Proposal(
        name=_named(name or files.name),
        files=files,
        catalogue=catalogue,
        log=log,
        catalogue_id=catalogue_id,
        log_id=log_id,
        user=user or Guess(UNKNOWN, "no column looks like users"),
        time=time,
        rating=rating,
        texts=texts,
        pictures=seen,
        size=size_of(log, user.value, log_id.value, ids, int(core.value))
        if user and found
        else None,
        user_core=core,
        doubts=doubts,
    )


def _folder_of(paths: list[Path], project: Path, name: str | None) -> Path:
    """The folder below the project that has all of them, as params.yaml names it."""
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: not found; check the path")
    # Where they are named, not where links lead: a folder of the project may be one.
    homes = [os.path.relpath(path if path.is_dir() else path.parent, project) for path in paths]
    common = Path(os.path.commonpath(homes))
    if common.parts and common.parts[0] != os.pardir:
        return common
    place, found = f"data/sources/{_named(name or 'shop')}", (project / common).resolve()
    raise DataError(
        f"{', '.join(map(str, paths))}: found below {found}, expected in a folder of their own "
        f"within the project, which DVC watches; `mkdir -p {place}`, copy (or link) them there and "
        "name them there"
    )


def _named(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-") or "shop"


def _ids(
    found: ItemColumns | None, catalogue: Look, log: Look, doubts: list[str]
) -> tuple[Guess, Guess]:
    if found is None:
        doubts.append(
            "item_id: no column of the log has values of a column of the catalogue that names "
            f"each item once; the catalogue has {', '.join(catalogue.columns)}, the log "
            f"{', '.join(log.columns)}"
        )
        nothing = Guess(UNKNOWN, "no column fits one of the other file")
        return nothing, nothing
    if found.share < 0.8:
        used = log.ids(found.log.value)
        known = catalogue.all_ids(found.catalogue.value)
        assert used is not None
        unknown = used.filter(~used.is_in(known.implode()))
        doubts.append(
            f"item_id: of the log's first {len(used):,} rows {1 - found.share:.0%} have an item "
            f"that the catalogue lacks, {describe_unknown(unknown, known)}"
        )
    return found.catalogue, found.log


def _doubt_of_log(
    user: Guess | None, time: tuple[Guess, Unit] | None, log: Look, doubts: list[str]
) -> None:
    if user is None:
        doubts.append(f"user_id: name the column of users; the log has {', '.join(log.columns)}")
    if time is None:
        doubts.append(
            "timestamp: no column reads as times (numbers since 1970, or dates with the year "
            "first), so that interactions are taken in the order of the file"
        )


def _doubt_of_catalogue(
    texts: Texts, pictures: Pictures, catalogue: Look, doubts: list[str]
) -> None:
    if texts.title is None:
        doubts.append(f"title: name its column; the catalogue has {', '.join(catalogue.columns)}")
    if pictures.web is not None and not (pictures.files or pictures.folder):
        doubts.append(
            f"image_urls: '{pictures.web}' has addresses of pictures; to download them name it, "
            "and write `crawl:` as in examples/amazon.yaml, which says who asks"
        )


def _core(log: Look, user: Guess | None) -> Guess:
    """Fewest interactions of a user: 5, or 3 where most users would go."""
    if user is None:
        return Guess("5", "")
    counts = log.all_ids(user.value).value_counts()["count"]
    enough = int((counts >= 5).sum())
    said = f"{enough:,} of {len(counts):,} users have 5 interactions or more"
    if 2 * enough < len(counts):
        return Guess("3", f"{said}; 3 are the least that training, validation and test take")
    return Guess("5", said)
