"""Small raw tables and pictures for tests of `mmrec.data`."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from mmrec import schemas
from mmrec.data import fetch
from mmrec.data.borders import leave_one_out
from mmrec.data.clean import CleanResult, clean
from mmrec.data.fetch import fetch_images
from mmrec.data.images import RawImages
from mmrec.data.sources.source import ImageRef, RawCatalogue
from mmrec.io import read_table
from mmrec.params.datasets import CleanParams

SETTINGS: dict[str, Any] = {
    "text_fields": ["title", "description"],
    "max_sentences": 10,
    "max_images": 10,
    "min_rating": None,
    "user_core": 0,
    "item_core": 0,
    "duplicates": "keep_all",
    "cold_threshold": 10,
    "max_unusable_share": 1.0,
    "max_failed_share": 1.0,
}


def jpeg(shade: int = 100, size: tuple[int, int] = (16, 12)) -> bytes:
    """A grey JPEG; the shade makes it distinct."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def items(
    ids: Sequence[str],
    titles: Mapping[str, str | None] | None = None,
    texts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> pa.Table:
    """Raw items; by default each has its id as title and one description."""
    described = {"field": "description", "text": "A thing. It is good."}
    return pa.Table.from_pylist(
        [
            {
                "item_id": item_id,
                "title": f"Title {item_id}" if titles is None else titles.get(item_id),
                "texts": [described]
                if texts is None
                else [{"field": f, "text": t} for f, t in texts.get(item_id, ())],
            }
            for item_id in ids
        ],
        schema=schemas.RAW_ITEMS,
    )


def interactions(
    *rows: tuple[str, str]
    | tuple[str, str, int | None]
    | tuple[str, str, int | None, float | None],
) -> pa.Table:
    """Raw interactions of (user, item[, timestamp[, rating]])."""
    columns = list(zip(*((*row, None, None)[:4] for row in rows), strict=True)) or [[]] * 4
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schemas.RAW_INTERACTIONS, strict=True)],
        schema=schemas.RAW_INTERACTIONS,
    )


def histories(**users: str) -> pa.Table:
    """Interactions without time: one letter per item, `histories(u="abc")`."""
    return interactions(*((user, item) for user, letters in users.items() for item in letters))


def fetched(folder: Path, refs: Sequence[ImageRef]) -> tuple[pa.Table, RawImages]:
    """Links and packed pictures of `refs`."""
    fetch_images(refs, folder / "images", folder / "image_links.parquet")
    links = read_table(folder / "image_links.parquet", schemas.IMAGE_LINKS)
    return links, RawImages(folder / "images")


def cleaned(
    folder: Path,
    raw_items: pa.Table,
    log: pa.Table,
    refs: Sequence[ImageRef] = (),
    *,
    skipped: Mapping[str, int] | None = None,
    has_users: bool = True,
    **settings: object,
) -> CleanResult:
    """Clean with `SETTINGS` except for `settings`."""
    return clean(
        raw_items,
        log,
        *fetched(folder, refs),
        CleanParams(**{**SETTINGS, **settings}),
        skipped=skipped or {},
        has_users=has_users,
    )


def write_raw(
    folder: Path,
    raw_items: pa.Table,
    log: pa.Table,
    refs: Sequence[ImageRef] = (),
    skipped: Mapping[str, int] | None = None,
    *,
    has_users: bool = True,
) -> Path:
    """A raw folder as the crawl stage writes it."""
    fetch.write_raw(RawCatalogue(raw_items, log, refs, skipped or {}, has_users), folder)
    return folder


def sequences(result: CleanResult) -> dict[str, list[str]]:
    """Item ids of every user, oldest first."""
    ids = [None, *result.items.column("item_id").to_pylist()]
    users = result.users.column("user_id").to_pylist()
    rows = result.sequences.to_pylist()
    return {users[row["user_index"]]: [ids[i] for i in row["items"]] for row in rows}


def sequence_table(lists: Sequence[Sequence[int]], users: Sequence[int] | None = None) -> pa.Table:
    """CLEAN_SEQUENCES of users given as lists of item indices, split by leave-one-out."""
    borders = leave_one_out(np.array([len(one) for one in lists], dtype=np.int64))
    columns = {
        "user_index": range(len(lists)) if users is None else users,
        "items": lists,
        "timestamps_ns": [[0] * len(one) for one in lists],
        **borders._asdict(),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in schemas.CLEAN_SEQUENCES]
    return pa.table(arrays, schema=schemas.CLEAN_SEQUENCES)


def dropped(result: CleanResult, step: str) -> dict[str, int]:
    """What a step of the summary dropped."""
    steps: Any = result.summary["steps"]
    return next(entry["dropped"] for entry in steps if entry["step"] == step)


def real_data(folder: str) -> Path:
    """A folder of real data sets, or a skip with the reason."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    path = Path(os.environ.get("MMREC_REAL_DATA", default)) / folder
    if not path.is_dir():
        pytest.skip(f"{path} not found; point MMREC_REAL_DATA at the real data sets")
    return path
