"""A cleaned dataset of a project in; its items, users and sequences as frames out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from mmrec import schemas
from mmrec.data.borders import Borders
from mmrec.data.images import RawImages
from mmrec.dataset_paths import DatasetPaths
from mmrec.ids import require_name
from mmrec.io import DataError, read_table
from mmrec.params.file import load_params
from mmrec.paths import Paths

PROJECT = Path()
"""The folder that the program runs in."""


@dataclass(frozen=True)
class Dataset:
    """A cleaned dataset; tables are read on first use.

    Attributes:
        name: its entry of `datasets`.
        paths: where its files lie.
    """

    name: str
    paths: DatasetPaths

    @cached_property
    def items(self) -> pl.DataFrame:
        """A row per item: `item_id`, `item_index`, `title`, counts, `is_cold`; item 1 first."""
        return frame_of(read_table(self.paths.items, schemas.CLEAN_ITEMS))

    @cached_property
    def users(self) -> pl.DataFrame:
        """A row per user: `user_id`, `user_index` and `num_interactions`."""
        return frame_of(read_table(self.paths.users, schemas.CLEAN_USERS))

    @cached_property
    def sequences(self) -> pl.DataFrame:
        """A row per user: `user_id`, then `item_ids` and `timestamps_ns` as lists, oldest first.

        What is trained, validated and tested on ends and starts at the borders beside them.
        """
        table = read_table(self.paths.sequences, schemas.CLEAN_SEQUENCES).combine_chunks()
        ids = pa.array(self.items["item_id"].to_list(), pa.string())
        indices = table["items"].combine_chunks()
        named = pa.ListArray.from_arrays(indices.offsets, ids.take(pc.subtract(indices.values, 1)))
        columns = {
            "user_id": pa.array(self.users["user_id"].to_list(), pa.string()),
            "item_ids": named,
            **{name: table[name] for name in ("timestamps_ns", *Borders._fields)},
        }
        return frame_of(pa.table(columns))

    @cached_property
    def texts(self) -> pl.DataFrame:
        """What the source says of items: `item_id`, `field`, `text`, in the source's order.

        Raises:
            DataError: the raw tables are not here.
        """
        raw = read_table(self.paths.raw_items, schemas.RAW_ITEMS)
        flat = pc.list_flatten(raw["texts"]).combine_chunks()
        owners = raw["item_id"].take(pc.list_parent_indices(raw["texts"]))
        texts = pa.table({"item_id": owners, "field": flat.field(0), "text": flat.field(1)})
        kept = pa.array(self.items["item_id"].to_list(), pa.string())
        return frame_of(texts.filter(pc.is_in(owners, value_set=kept)))

    def pictures(self, items: Sequence[str]) -> dict[str, bytes]:
        """The first picture of each item that has any, as its file is, by item id.

        Raises:
            DataError: the raw pictures are not here.
        """
        table = frame_of(read_table(self.paths.images, schemas.IMAGES))
        found = table.filter(pl.col("item_id").is_in(items)).sort("position")
        keys = dict(found.unique("item_id", keep="first").select("item_id", "content_key").rows())
        if not keys:
            return {}
        data = dict(RawImages(self.paths.raw_images).iterate(keys.values()))
        return {item: data[keys[item]] for item in items if item in keys}


def open_dataset(name: str, project: Path | str = PROJECT) -> Dataset:
    """A dataset of a project, once the stage `clean` has run.

    Args:
        name: an entry of `datasets`.
        project: the folder with `params.yaml`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
        ValueError: there is no such dataset; names those that there are.
        DataError: it is not cleaned yet.
    """
    paths = Paths(Path(project))
    require_name("dataset", name, load_params(paths.params).datasets)
    return dataset_of(name, paths)


def dataset_of(name: str, paths: Paths) -> Dataset:
    """A dataset that there is.

    Raises:
        DataError: it is not cleaned yet.
    """
    dataset = paths.dataset(name)
    if not dataset.items.is_file():
        raise DataError(
            f"{dataset.items}: file not found, dataset '{name}' is not cleaned yet; run "
            f"`dvc repro clean@{name}`"
        )
    return Dataset(name, dataset)


def frame_of(table: pa.Table) -> pl.DataFrame:
    """An Arrow table as a frame."""
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found
