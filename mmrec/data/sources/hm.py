"""H&M as published on Kaggle: articles, transactions and a folder of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from mmrec.data.sources import columns, raw_tables
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.data.sources.source_table import read_source_table
from mmrec.io import DataError

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
            timestamp_s=columns.as_timestamps_s(log, "t_dat", "iso")
        )
        refs: list[ImageRef] = []
        skipped = {"item_without_id": num_without_id}
        if self._images is not None:
            refs, unmatched = self._pictures(self._images, set(frame["item_id"]))
            skipped["picture_of_no_item"] = unmatched
        return RawCatalogue(
            items=raw_tables.build_items(frame, _TEXTS),
            interactions=raw_tables.build_interactions(interactions),
            image_refs=refs,
            skipped=skipped,
        )

    def _file(self, name: str) -> Path:
        packed = self._files / f"{name}.gz"
        return packed if packed.is_file() else self._files / name

    def _pictures(self, folder: str, known: set[str]) -> tuple[list[ImageRef], int]:
        directory = self._files / folder
        if not directory.is_dir():
            raise DataError(
                f"{directory}: folder of pictures not found; check the dataset's source"
            )
        paths = list(_jpegs(directory))
        refs = [
            ImageRef(path.stem, 0, f"{folder}/{path.parent.name}/{path.name}", path)
            for path in paths
            if path.stem in known
        ]
        return sorted(refs, key=lambda ref: ref.item_id), len(paths) - len(refs)


def _jpegs(directory: Path) -> Iterator[Path]:
    folders: Iterable[Path] = (path for path in directory.iterdir() if path.is_dir())
    for folder in folders:
        # Elsewhere it would be a second picture of the article.
        yield from (path for path in folder.glob("*.jpg") if path.stem[:3] == folder.name)
