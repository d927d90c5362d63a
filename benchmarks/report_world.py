"""A finished project of any number of items, made of a small one: for the size of its report."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from PIL import ImageEnhance

from mmrec import schemas
from mmrec.data.images import ImageError, RawImages, decode_image
from mmrec.io import content_key, read_json, read_table, read_vectors, write_json, write_table
from mmrec.params.file import load_params
from mmrec.params.ranked import ranked_entries
from mmrec.part_writer import PartWriter
from mmrec.paths import Paths
from mmrec.report.shown_items import sampled_items
from mmrec.run_paths import RunPaths, lists_of

DIM = 32
"""Numbers of an item's vector: enough for a map, and soon compared with all others."""
_WRITTEN_AT_ONCE = 4096

Indices = npt.NDArray[np.int64]


@dataclass
class Grown:
    """Every item of a project in as many copies; where it was named, one of its copies is."""

    old: Paths
    new: Paths
    copies: int
    dataset: str

    def __post_init__(self) -> None:
        self._generator = np.random.default_rng(0)

    def rows(self, number: int) -> Indices:
        """The old row of each new one, of a table with a row for each of so many items."""
        return np.repeat(np.arange(number), self.copies)

    def item_ids(self, old: pa.ChunkedArray) -> list[str]:
        """Ids of all copies, in order."""
        return [f"{name}-{copy:05d}" for name in old.to_pylist() for copy in range(self.copies)]

    def copied(self, table: pa.Table) -> pa.Table:
        """Rows of items, once for each copy, in order of their ids."""
        copies = pl.DataFrame({"copy": [f"-{copy:05d}" for copy in range(self.copies)]})
        rows = pl.DataFrame(table).join(copies, how="cross")
        rows = rows.with_columns(pl.col("item_id") + pl.col("copy")).drop("copy")
        return rows.sort("item_id", "position").to_arrow()

    def some_copy(self, indices: Indices) -> Indices:
        """New item indices for old ones, any of their copies."""
        drawn = self._generator.integers(0, self.copies, len(indices))
        return (indices - 1) * self.copies + drawn + 1

    def lists(self, column: pa.ChunkedArray) -> pa.ListArray:
        """The same of lists of items."""
        found = column.combine_chunks()
        values = self.some_copy(found.values.to_numpy().astype(np.int64)).astype(np.int32)
        return pa.ListArray.from_arrays(found.offsets, pa.array(values))


def grow(project: Path, folder: Path, num_items: int) -> int:
    """Write the project into a folder, with about so many items; how many they are.

    Users, runs and metrics stay what they are; pictures are as large and as different.
    """
    params = load_params(project / "params.yaml")
    dataset = params.report.dataset
    old, new = Paths(project), Paths(folder)
    items = read_table(old.dataset(dataset).items, schemas.CLEAN_ITEMS)
    grown = Grown(old, new, max(1, round(num_items / items.num_rows)), dataset)
    folder.mkdir(parents=True)
    for name in ("params.yaml", "data/pretraining_histories", "data/runs"):
        copy = shutil.copytree if (project / name).is_dir() else shutil.copy
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy(project / name, folder / name)
    _write_items(grown, items)
    _write_pictures(grown, items)
    _write_users(grown)
    for name in ranked_entries(params):
        _write_run(grown, old.run(name), new.run(name))
    _write_recommendations(grown)
    return int(items.num_rows) * grown.copies


def _write_items(grown: Grown, items: pa.Table) -> None:
    old, new = (paths.dataset(grown.dataset) for paths in (grown.old, grown.new))
    ids = grown.item_ids(items["item_id"])
    columns = items.take(pa.array(grown.rows(items.num_rows))).to_pydict()
    columns |= {"item_id": ids, "item_index": range(1, len(ids) + 1)}
    write_table(pa.table(columns, schema=schemas.CLEAN_ITEMS), new.items, schemas.CLEAN_ITEMS)
    rows = grown.copied(read_table(old.sentences, schemas.SENTENCES))
    write_table(rows.cast(schemas.SENTENCES), new.sentences, schemas.SENTENCES)
    write_json(read_json(old.clean_summary), new.clean_summary)
    for told in (old.root / "features").glob("*.json"):  # where a feature is from: for the cards
        write_json(read_json(told), new.root / "features" / told.name)


def _write_pictures(grown: Grown, items: pa.Table) -> None:
    """A picture of its own for each item: those that the page shows drawn anew, others padded."""
    old, new = (paths.dataset(grown.dataset) for paths in (grown.old, grown.new))
    images = read_table(old.images, schemas.IMAGES).to_pylist()
    bases = dict(RawImages(old.raw_images).iterate())
    firsts = {row["item_id"]: row["content_key"] for row in images if row["position"] == 0}
    ids = grown.item_ids(items["item_id"])
    shown = {*sampled_items(len(ids)).tolist()}
    made: dict[bytes, tuple[bytes, int]] = {}
    owners = []
    for row, (item_id, base) in enumerate(zip(ids, grown.rows(items.num_rows), strict=True)):
        key = firsts.get(items["item_id"][int(base)].as_py())
        if key is None:
            continue
        copy = row % grown.copies
        content = _variant(bases[key], copy, drawn=row in shown)
        made[content_key(content)] = (key, copy if row in shown else -copy - 1)
        owners.append({"item_id": item_id, "position": 0, "content_key": content_key(content)})
    table = pa.Table.from_pylist(owners, schema=schemas.IMAGES)
    write_table(table, new.images, schemas.IMAGES)
    words = pl.DataFrame(grown.copied(read_table(old.keywords, schemas.KEYWORDS)))
    own = pl.DataFrame(table).select("item_id", "position", "content_key")
    words = words.drop("content_key").join(own, on=["item_id", "position"])
    keywords = words.select(schemas.KEYWORDS.names).sort("item_id").to_arrow()
    write_table(keywords.cast(schemas.KEYWORDS), new.keywords, schemas.KEYWORDS)
    order = sorted(made)
    with PartWriter(new.raw_images, schemas.RAW_IMAGES) as writer:
        for start in range(0, len(order), _WRITTEN_AT_ONCE):
            keys = order[start : start + _WRITTEN_AT_ONCE]
            found = [
                _variant(bases[base], copy if copy >= 0 else -copy - 1, drawn=copy >= 0)
                for base, copy in map(made.__getitem__, keys)
            ]
            columns = {"content_key": keys, "bytes": found}
            writer.write(pa.table(columns, schema=schemas.RAW_IMAGES))


def _variant(data: bytes, copy: int, *, drawn: bool) -> bytes:
    """A picture like another: of other brightness, or with bytes after its end, which none sees."""
    padded = data + copy.to_bytes(4, "little")
    if not drawn:
        return padded
    try:
        picture = ImageEnhance.Brightness(decode_image(data)).enhance(0.7 + 0.6 * (copy % 97) / 97)
    except ImageError:
        return padded
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _write_users(grown: Grown) -> None:
    old, new = (paths.dataset(grown.dataset) for paths in (grown.old, grown.new))
    users = read_table(old.users, schemas.CLEAN_USERS)
    write_table(users, new.users, schemas.CLEAN_USERS)
    sequences = read_table(old.sequences, schemas.CLEAN_SEQUENCES)
    place = sequences.schema.get_field_index("items")
    sequences = sequences.set_column(place, "items", grown.lists(sequences["items"]))
    write_table(sequences, new.sequences, schemas.CLEAN_SEQUENCES)


def _write_run(grown: Grown, old: RunPaths, new: RunPaths) -> None:
    new.evaluated.mkdir(parents=True)
    shutil.copy(old.all_metrics, new.all_metrics)
    sequences = read_table(grown.new.dataset(grown.dataset).sequences, schemas.CLEAN_SEQUENCES)
    held_out = dict(zip(sequences["user_index"].to_pylist(), sequences["items"], strict=True))
    ranks = read_table(old.ranks, schemas.RANKS).to_pydict()
    ranks["target"] = [
        held_out[user][length].as_py()
        for user, length in zip(ranks["user_index"], ranks["history_length"], strict=True)
    ]
    ranks["rank"] = [rank * grown.copies for rank in ranks["rank"]]
    write_table(pa.table(ranks).cast(schemas.RANKS), new.ranks, schemas.RANKS)
    lists = read_table(lists_of(old), schemas.LISTS)
    columns = {"user_index": lists["user_index"], "items": grown.lists(lists["items"])}
    write_table(pa.table(columns).cast(schemas.LISTS), lists_of(new), schemas.LISTS)
    if old.item_vectors.is_file():
        _write_vectors(grown, old, new)


def _write_vectors(grown: Grown, old: RunPaths, new: RunPaths) -> None:
    table = read_vectors(old.item_vectors, schemas.item_vectors)
    width = table.schema.field("vector").type.list_size
    vectors = table["vector"].combine_chunks().flatten().to_numpy().reshape(-1, width)
    vectors = np.pad(vectors, ((0, 0), (0, max(0, DIM - width))))[:, :DIM]
    many = vectors[grown.rows(len(vectors))]
    noise = np.random.default_rng(1).standard_normal(many.shape, dtype=np.float32)
    many += noise * vectors.std() / 4
    ids = grown.item_ids(table["item_id"])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(many.ravel()), DIM)
    columns = {
        "item_index": range(1, len(ids) + 1),
        "item_id": ids,
        "title": [""] * len(ids),
        "vector": flat,
    }
    schema = schemas.item_vectors(DIM)
    write_table(pa.table(columns).cast(schema), new.item_vectors, schema)


def _write_recommendations(grown: Grown) -> None:
    rows = read_table(grown.old.recommended_lists, schemas.RECOMMENDATIONS).to_pydict()
    rows["item_id"] = [f"{name}-{0:05d}" for name in rows["item_id"]]
    table = pa.table(rows, schema=schemas.RECOMMENDATIONS)
    write_table(table, grown.new.recommended_lists, schemas.RECOMMENDATIONS)
    summary = read_json(grown.old.recommendations / "summary.json")
    summary["num_items"] *= grown.copies
    write_json(summary, grown.new.recommendations / "summary.json")
