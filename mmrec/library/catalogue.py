"""The items of a run, by id: what recommending by ids needs of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mmrec import schemas
from mmrec.ids import listed, nearest, require_ids, require_once, told_unknown
from mmrec.io import read_table
from mmrec.library.dataset import Dataset
from mmrec.library.filters import Categories, Filters, ItemGroups, group_items
from mmrec.params.pipeline import Params
from mmrec.report.categories import categories_of


@dataclass(frozen=True)
class Catalogue:
    """Items in order, and what else is known of their dataset.

    Attributes:
        items: CLEAN_ITEMS as a frame.
        dataset: where they are from; None where a run is apart from its project.
        words: categories, of which an item has the one that its text has first.
        kept: categories by these words, where a run is apart from its project.
    """

    items: pl.DataFrame
    dataset: Dataset | None
    words: Sequence[str] = ()
    kept: Categories | None = None

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Item index by item id."""
        ids = self.items["item_id"].to_list()
        return {item: index for index, item in enumerate(ids, start=1)}

    @property
    def has_words(self) -> bool:
        """Whether items have categories by words."""
        return self.kept is not None or bool(self.words)

    def histories_of(self, users: Sequence[str]) -> dict[str, list[str]]:
        """Everything that users did, oldest first.

        Raises:
            ValueError: a user is not there, asked for twice, or no users are known.
        """
        require_ids("users", users)
        require_once("users", users)
        sequences = self._dataset("users").sequences
        known = sequences["user_id"]
        unknown = [user for user in users if user not in self._user_index]
        if unknown:
            what, place = (
                f"{len(unknown)} of {len(users)}",
                f"among the {len(known):,} users of the dataset",
            )
            raise ValueError(
                f"users: {told_unknown(unknown, known.to_list(), what, place)} (those with too few "
                "interactions were cleaned away: give their history itself)"
            )
        rows = [self._user_index[user] for user in users]
        return dict(zip(users, sequences["item_ids"].gather(rows).to_list(), strict=True))

    def categories(self, field: str | None) -> Categories:
        """Category by item id: the first text of a field of the source, or a word of its text.

        Args:
            field: its name; None for the words.

        Raises:
            ValueError: there is no such field, or there are no words.
        """
        if field is None:
            return self._categories_by_words()
        texts = self._dataset("texts").texts
        fields = texts["field"].unique().sort().to_list()
        if field not in fields:
            hint = nearest(field, fields)
            raise ValueError(f"categories: found {field!r}, {hint}fields are {listed(fields)}")
        first = texts.filter(pl.col("field") == field).unique("item_id", keep="first")
        return dict(first.select("item_id", "text").iter_rows())

    def groups(self, filters: Filters) -> ItemGroups | None:
        """Categories of the items as filters name them; None where they ask for none.

        Raises:
            ValueError: as of `categories`.
        """
        if not filters.need_categories:
            return None
        found = filters.categories
        if found is None or isinstance(found, str):
            found = self.categories(found)
        return group_items(self.items["item_id"].to_list(), found)

    def _categories_by_words(self) -> Categories:
        if self.kept is not None:
            return self.kept
        if not self.has_words:
            raise ValueError(
                "categories: none are known; name a field of the source, give them by item id, or "
                "list words under report.categories in params.yaml, for the dataset of the report"
            )
        ids = self.items["item_id"].to_list()
        sentences = read_table(self._dataset("texts").paths.sentences, schemas.SENTENCES)
        return dict(zip(ids, categories_of(ids, sentences, self.words), strict=True))

    @cached_property
    def _user_index(self) -> dict[str, int]:
        ids = self._dataset("users").sequences["user_id"].to_list()
        return {user: row for row, user in enumerate(ids)}

    def _dataset(self, what: str) -> Dataset:
        if self.dataset is None:
            raise ValueError(
                f"{what}: the run stands apart from its project and has none; open it there by "
                "its name"
            )
        return self.dataset


def category_words(dataset: str, params: Params) -> list[str]:
    """Words that are categories of a dataset's items; none where there are not."""
    return params.report.categories if params.report.dataset == dataset else []
