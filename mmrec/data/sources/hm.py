"""H&M as published on Kaggle: articles, transactions and a folder of pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmrec.data.sources import columns, raw_tables
from mmrec.data.sources.image_files import tell_of_none, tell_of_unmatched
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.source_files import shorten
from mmrec.data.sources.source_table import read_source_table
from mmrec.io import DataError

logger = logging.getLogger(__name__)

_TEXTS = {
    "description": "detail_desc",
    "product_type": "product_type_name",
    "product_group": "product_group_name",
    "appearance": "graphical_appearance_name",
    "colour": "colour_group_name",
    "department": "department_name",
    "section": "section_name",
    "garment_group": "garment_group_name",
}
"""Text field to the column of `articles.csv`."""


class HmSource:
    """Articles and who bought them on which day; one picture of an article, if any.

    Args:
        files: folder with `articles.csv` and `transactions_train.csv`, plain or `.gz`.
        images: folder below `files` with `<first three digits>/<article id>.jpg`; None for
            no pictures.
    """

    def __init__(self, files: Path, *, images: str | None) -> None:
        self._files = files
        self._images = images

    def read(self) -> RawCatalogue:
        """Read both tables and list the pictures. An article without a picture is no failure."""
        articles = read_source_table(
            self._file("articles.csv"), ["article_id", "prod_name", *_TEXTS.values()]
        )
        frame, num_without_id = raw_tables.drop_items_without_id(
            articles.frame.rename({"article_id": "item_id", "prod_name": "title"}), articles
        )
        log = read_source_table(
            self._file("transactions_train.csv"), ["t_dat", "customer_id", "article_id"]
        )
        interactions = log.frame.select(user_id="customer_id", item_id="article_id").with_columns(
            timestamp_ns=columns.as_timestamps_ns(log, "t_dat", "iso")
        )
        refs: list[ImageRef] = []
        skipped = {"item_without_id": num_without_id}
        if self._images is not None:
            refs, not_taken = self._pictures(self._images, set(frame["item_id"]))
            skipped |= not_taken
        return RawCatalogue(
            items=raw_tables.build_items(frame, _TEXTS),
            interactions=raw_tables.build_interactions(interactions),
            image_refs=refs,
            skipped=skipped,
        )

    def _file(self, name: str) -> Path:
        packed = self._files / f"{name}.gz"
        return packed if packed.is_file() else self._files / name

    def _pictures(self, folder: str, known: set[str]) -> tuple[list[ImageRef], dict[str, int]]:
        directory = self._files / folder
        if not directory.is_dir():
            raise DataError(
                f"{directory}: folder of pictures not found; check the dataset's source"
            )
        num_other = 0
        refs: list[ImageRef] = []
        unmatched: list[str] = []
        misplaced: list[str] = []
        for path in _files(directory):
            if path.suffix != ".jpg":
                num_other += 1
            elif path.stem not in known:
                unmatched.append(path.stem)
            elif path.stem[:3] != path.parent.name:
                # It would be a second picture of the article.
                misplaced.append(str(path.relative_to(directory)))
            else:
                link = f"{folder}/{path.parent.name}/{path.name}"
                refs.append(ImageRef(path.stem, 0, link, path))
        tell_of_unmatched(directory, unmatched, len(refs) + len(misplaced), known)
        if misplaced:
            _tell_of_misplaced(directory, misplaced, len(refs))
        elif not refs:
            tell_of_none(directory, num_other, "<first three digits>/<article id>.jpg")
        return sorted(refs, key=lambda ref: ref.item_id), {
            "picture_in_wrong_folder": len(misplaced),
            "file_with_other_ending": num_other,
            "picture_of_no_item": len(unmatched),
        }


def _tell_of_misplaced(directory: Path, misplaced: Sequence[str], num_taken: int) -> None:
    """Name a picture that does not lie where it is looked for; an error if none does."""
    described = (
        f"{directory}: {len(misplaced):,} of {len(misplaced) + num_taken:,} pictures are not taken:"
        f" expected <first three digits>/<article id>.jpg, found {shorten(min(misplaced))}"
    )
    if not num_taken:
        raise DataError(f"{described}; move them there, or set images to null")
    logger.warning("%s", described)


def _files(directory: Path) -> Iterator[Path]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from (path for path in entry.iterdir() if not path.is_dir())
        else:
            yield entry
