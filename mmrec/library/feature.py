"""A feature of a dataset in; its rows as a tensor and as frames, with the ids of items, out.

Shapes: R rows, I items, d width of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import Tensor

from mmrec import schemas
from mmrec.features.parts import Parts, level_of_files, open_parts, read_places, read_values
from mmrec.features.table import load_feature_table
from mmrec.ids import require_name
from mmrec.io import read_table
from mmrec.library.catalogue import Catalogue, category_words
from mmrec.library.dataset import PROJECT, Dataset, frame_of, open_dataset
from mmrec.library.filters import NO_FILTERS, Filters
from mmrec.library.queries import read_query
from mmrec.library.query_encoders import open_encoders, require_comparable
from mmrec.library.searching import FeatureSearch
from mmrec.params.embed_entries import EmbedEntry, entry_of
from mmrec.params.features import StoredLevel
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.paths import Paths


@dataclass(frozen=True)
class FeatureRows:
    """What an extractor, or the counting of words, gave for the items of a dataset.

    Attributes:
        name: of the feature.
        folder: where its files lie.
        dataset: of its items.
        level: `vectors`, one of each content; `tokens`, states of each content's tokens; `words`.
        project: the folder with `params.yaml`.
    """

    name: str
    folder: Path
    dataset: Dataset
    level: StoredLevel
    project: Path

    @cached_property
    def rows(self) -> pl.DataFrame:
        """What each row of `tensor` is of: `item_id`, `position`, and `token` of token states.

        Of words: `item_id`, `words`, `counts`.
        """
        if self.level == "words":
            return frame_of(read_table(self.folder, schemas.BAGS_OF_WORDS))
        token = ["token"] if self.level == "tokens" else []
        return frame_of(read_places(self._parts, ["item_id", "position", *token]))

    @cached_property
    def tensor(self) -> Tensor:
        """Vectors, or token states, as they are stored: float16 or float32 [R, d], on the CPU.

        Raises:
            ValueError: the feature is of words.
        """
        if self.level == "words":
            raise ValueError(f"feature '{self.name}' is of words and has no vectors; take `rows`")
        parts, ids = self._parts, self.rows["item_id"].to_arrow()
        values = np.empty((len(ids), parts.dim), parts.dtype)
        end = 0
        for some in read_values(parts, ids):
            values[end : end + len(some)] = some
            end += len(some)
        return torch.from_numpy(values)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """`rows` with the column `vector`, [d] each; of words `rows` alone."""
        if self.level == "words":
            return self.rows
        values = self.tensor.float().numpy()
        kind = pl.Array(pl.Float32, values.shape[1])
        return self.rows.with_columns(pl.Series("vector", values, dtype=kind))

    def item_means(self) -> pl.DataFrame:
        """Mean vector of each item that has any: `item_id`, `vector` float32 [d]; item 1 first.

        Raises:
            ValueError: the feature is not of vectors.
        """
        if self.level != "vectors":
            raise ValueError(
                f"feature '{self.name}' is of {self.level}, expected vectors; take `rows` and "
                "`tensor`"
            )
        table = load_feature_table(self.folder, self.dataset.items.to_arrow())
        starts, counts = table.offsets[1:-1], table.counts[1:]
        has = counts > 0
        sums = np.add.reduceat(table.vectors.numpy(), starts[has].numpy(), 0, np.float64)
        means = (sums / counts[has, None].numpy()).astype(np.float32)
        vectors = pl.Series("vector", means, dtype=pl.Array(pl.Float32, table.dim))
        chosen = self.dataset.items.select("item_id").filter(pl.Series(has.numpy()))
        return chosen.with_columns(vectors)

    def search(
        self,
        words: str | None = None,
        *,
        picture: Path | str | bytes | None = None,
        k: int = 10,
        filters: Filters = NO_FILTERS,
    ) -> pl.DataFrame:
        """The `k` items with the contents most like some words or a picture.

        A query is encoded as the contents were, and an item goes by its best content. Features of
        open_clip are searched by words and by pictures, since both have vectors in one space,
        those of sentence_transformer by words, those of timm_image by pictures. The extractor is
        loaded by the first search.

        Args:
            words: what to look for.
            picture: in place of words; a file, or the bytes of one.
            k: length of the list; shorter where fewer items have contents.
            filters: what the list may have; `diversity` goes by the contents that are found.

        Returns:
            `query`, `rank` from 1 on, `item_id`, `title`, `score` (cosine, in [-1, 1]; ties to the
            smaller item index), `position` of the item's best content.

        Raises:
            UnknownIdError: a filter has an item that is not in the catalogue.
            ValueError: the query is empty, or cannot be compared with what the feature has, or a
                filter cannot be met.
            DataError: the picture is missing or none, or the feature is of other settings than
                `params.yaml` has.
            WeightsError: the extractor cannot be loaded.
        """
        query = read_query(words, picture)
        if k < 1:
            raise ValueError(f"k: found {k}, expected at least 1")
        require_comparable(self.name, self._entry, query)
        return self._search.find(query, k, filters)

    @cached_property
    def _entry(self) -> EmbedEntry | None:
        return entry_of(self._params.embed, self.dataset.name, self.name)

    @cached_property
    def _params(self) -> Params:
        return load_params(Paths(self.project).params)

    @cached_property
    def _search(self) -> FeatureSearch:
        assert self._entry is not None, "of a feature that can be searched"
        items = self.dataset.items
        table = load_feature_table(self.folder, items.to_arrow())
        if not len(table.vectors):
            raise ValueError(f"feature '{self.name}' has no contents, so that nothing is found")
        # In the order of the table.
        places = self.rows.join(items.select("item_id", "item_index"), on="item_id")
        positions = places.sort("item_index", "position")["position"]
        encoders = open_encoders(self._entry, self._parts.fingerprint, self.project)
        words = category_words(self.dataset.name, self._params)
        catalogue = Catalogue(items, self.dataset, words)
        return FeatureSearch(catalogue, table, positions, encoders)

    @property
    def _parts(self) -> Parts:
        return open_parts(self.folder, level=None)


def open_feature(dataset: str, name: str, project: Path | str = PROJECT) -> FeatureRows:
    """A feature of a dataset, once its `embed` stage has run.

    Args:
        dataset: an entry of `datasets`.
        name: of the feature, as runs name it; `bag_of_words` for the words of items.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such dataset or feature; names those that there are.
        DataError: the dataset is not cleaned yet, or a file is not what it must be.
    """
    found = open_dataset(dataset, project)
    folder = found.paths.features(name)
    there = folder.parent.iterdir() if folder.parent.is_dir() else ()
    known = sorted(path.name for path in there if path.is_dir())
    require_name(f"feature of dataset '{dataset}'", name, known)
    return FeatureRows(name, folder, found, level_of_files(folder), Path(project))
