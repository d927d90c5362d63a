"""Two raw folders in, one raw folder out, ids prefixed with the names of the two."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.data.packing import write_image_parts
from mmrec.dataset_paths import RawPaths
from mmrec.io import DataError, read_json, read_table, write_json, write_tables


def merge_raw(
    left: Path, right: Path, *, left_name: str, right_name: str, out: Path
) -> dict[str, int]:
    """Write the union of two raw folders; every id becomes `<name>/<id>`, so none meet.

    Equal pictures are kept once. If only one of two logs has timestamps, its interactions are
    put in order of time and both are merged as order only. A side may be without users; without
    users on either side the union has none.

    Returns:
        Counts of the union: `items`, `interactions`, `links`, `contents`.
    """
    if left_name == right_name:
        raise ValueError(f"a union needs two different datasets, found {left_name!r} twice")
    sides = {left_name: RawPaths(left), right_name: RawPaths(right)}
    to = RawPaths(out)

    def read(path: Callable[[RawPaths], Path], schema: pa.Schema) -> dict[str, pa.Table]:
        return {n: _prefixed(read_table(path(side), schema), n) for n, side in sides.items()}

    items = pa.concat_tables(read(lambda side: side.items, schemas.RAW_ITEMS).values())
    logs = read(lambda side: side.interactions, schemas.RAW_INTERACTIONS)
    interactions = pa.concat_tables(_with_equal_time(logs).values())
    links = pa.concat_tables(read(lambda side: side.image_links, schemas.IMAGE_LINKS).values())
    links = links.sort_by([("item_id", "ascending"), ("position", "ascending")])
    images = [RawImages(side.images) for side in sides.values()]
    skipped: Counter[str] = Counter()
    has_users = False
    for side in sides.values():
        told = read_json(side.summary, schemas.RawSummary)
        skipped.update(told["skipped"])
        has_users |= told["has_users"]
    counts = {
        "items": items.num_rows,
        "interactions": interactions.num_rows,
        "links": links.num_rows,
        "contents": len(set(images[0].keys()) | set(images[1].keys())),
    }
    # Pictures first: reading them is all that can still fail.
    write_image_parts(_distinct(heapq.merge(*(i.iterate() for i in images))), to.images)
    write_tables(
        {
            to.items: (items, schemas.RAW_ITEMS),
            to.interactions: (interactions, schemas.RAW_INTERACTIONS),
            to.image_links: (links, schemas.IMAGE_LINKS),
        }
    )
    write_json(counts | {"has_users": has_users, "skipped": dict(skipped)}, to.summary)
    return counts


def _prefixed(table: pa.Table, name: str) -> pa.Table:
    for column in ("user_id", "item_id"):
        if column in table.column_names:
            ids = pl.Series(column, table.column(column))
            # An empty id stays empty, so that `clean` still counts it as one.
            named = pl.select(
                pl.when(ids != "")
                .then(pl.concat_str(pl.lit(f"{name}/"), ids))
                .otherwise(pl.lit(""))
            ).to_series()
            place = table.column_names.index(column)
            table = table.set_column(place, table.field(column), named.to_arrow().cast(pa.string()))
    return table


def _with_equal_time(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    timed = {name for name, table in tables.items() if _num_timed(table)}
    # A side without interactions has no times to lack.
    if len(timed) != 1 or not all(table.num_rows for table in tables.values()):
        return tables
    name = timed.pop()
    table = tables[name]
    untimed = table.num_rows - _num_timed(table)
    if untimed:
        raise DataError(
            f"{name}: {untimed} of {table.num_rows} interactions have no timestamp and the other"
            " dataset has none at all; remove those rows from the source"
        )
    times = pl.DataFrame({"timestamp_ns": pl.Series(table.column("timestamp_ns"))})
    order = times.with_row_index("row").sort("timestamp_ns", maintain_order=True)["row"]
    table = table.take(order.to_arrow())
    nulls = pa.nulls(table.num_rows, pa.int64())
    place = table.column_names.index("timestamp_ns")
    tables[name] = table.set_column(place, table.field("timestamp_ns"), nulls)
    return tables


def _num_timed(table: pa.Table) -> int:
    return int(table.num_rows - table.column("timestamp_ns").null_count)


def _distinct(pictures: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    last = None
    for key, data in pictures:
        if key != last:
            yield key, data
        last = key
