"""A made-up dataset with pictures, lists and runs, small enough to render in a blink."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageDraw

from mmrec import schemas
from mmrec.data.images import RawImages
from mmrec.io import content_key
from mmrec.part_writer import PartWriter
from mmrec.report.colourings import MapData
from mmrec.report.gallery import gallery
from mmrec.report.maps import Maps, draw_maps
from mmrec.report.page import Protocol, Showcase, render_page
from mmrec.report.showcase import sample_users
from mmrec.report.shown_items import ShownItems
from mmrec.report.shown_lists import ShownLists
from mmrec.report.steps import dataset_report
from mmrec.report.thumbnails import Thumbnails
from tests.data.raw_world import sequence_table
from tests.report.made_runs import pretrainings, runs
from tests.report.summaries import LISTS, SUMMARY

PROTOCOL = Protocol(mask_history=False, cold_thresholds={"shop": 10})
COLOURS = ("crimson", "teal", "goldenrod", "navy", "olive", "orchid")
HOSTILE_TITLES = (
    "<script>alert('x')</script>",
    "\"quotes\" & 'apostrophes' <b>bold</b> {{ 7 * 7 }} ]]>",
    "مصباح مكتب قابل للطي",
    "日本語のタイトル、とても長いので折り返しが必要になるはずです",
    "Averyveryveryveryverylongwordwithoutanyspaceinitthatmustnotwidenthepage" * 2,
    "",
)


def draw(place: int, *, size: int = 160) -> bytes:
    """A picture as PNG bytes, different for each place."""
    image = Image.new("RGB", (size, size + 20 * (place % 3)), "white")
    pen = ImageDraw.Draw(image)
    colour = COLOURS[place % len(COLOURS)]
    margin = 12 + place % 17
    shape = (pen.ellipse, pen.rectangle)[place % 2]
    shape((margin, margin, size - margin, size - margin), fill=colour)
    pen.line((0, place * 3 % size, size, size), fill="black", width=3)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class World:
    """Tables of one dataset; every sixth item has no picture, titles may be hostile."""

    def __init__(
        self,
        directory: Path,
        *,
        num_items: int = 36,
        num_users: int = 20,
        pictures: bool = True,
        titles: tuple[str, ...] = HOSTILE_TITLES,
        words: bool = True,
    ) -> None:
        rng = np.random.default_rng(5)
        self.item_ids = [f"item.{place:04d}" for place in range(num_items)]
        self.titles = [
            titles[place] if place < len(titles) else f"Folding lamp number {place} in oak"
            for place in range(num_items)
        ]
        contents = {
            item_id: draw(place)
            for place, item_id in enumerate(self.item_ids)
            if pictures and place % 6 != 4
        }
        self.raw_images = pack(directory / "images", contents)
        self.items = _items(self.item_ids, self.titles)
        keys = [content_key(data) for data in contents.values()]
        self.images = pa.table(
            {
                "item_id": pa.array(contents, pa.string()),
                "position": np.zeros(len(contents), np.int32),
                "content_key": pa.array(keys, pa.binary(16)),
            },
            schema=schemas.IMAGES,
        )
        self.keywords = _keywords(self.images, rng) if words else schemas.KEYWORDS.empty_table()
        lengths = rng.integers(3, 30, num_users)
        lengths[0] = 2
        histories = [rng.integers(1, num_items + 1, length).tolist() for length in lengths]
        self.users = pa.table(
            {
                "user_id": [f"user <{place}>" for place in range(num_users)],
                "user_index": np.arange(num_users, dtype=np.int32),
                "num_interactions": lengths.astype(np.int32),
            },
            schema=schemas.CLEAN_USERS,
        )
        self.sequences = sequence_table(histories)
        self.ranks = _ranks(lengths, histories)
        self.recommendations = _recommendations(self, rng, top_k=10)

    def showcase(
        self, *, num_users: int = 3, num_entries: int = 12, mask_history: bool = False
    ) -> Showcase:
        """What the page shows of this world."""
        thumbnails = Thumbnails(RawImages(self.raw_images))
        return Showcase(
            dataset="shop",
            run="shop-mp4sr",
            keep_seen=False,
            lists=LISTS,
            gallery=gallery(self.keywords, self.items, thumbnails, num_entries=num_entries),
            users=sample_users(
                items=self.items,
                users=self.users,
                sequences=self.sequences,
                ranks=self.ranks,
                recommendations=self.recommendations,
                images=self.images,
                keywords=self.keywords,
                thumbnails=thumbnails,
                num_users=num_users,
                mask_history=mask_history,
            ),
        )


def page_of(
    world: World,
    maps: Maps | None = None,
    items: ShownItems | None = None,
    lists: ShownLists | None = None,
) -> str:
    """The page of a world with three runs."""
    return render_page(
        title="A <made-up> shop & its runs",
        datasets=[dataset_report("shop", SUMMARY)],
        runs=runs(),
        protocol=PROTOCOL,
        showcase=world.showcase(),
        pretrainings=pretrainings(),
        maps=maps,
        items=items,
        lists=lists,
    )


def maps_of(*runs: str, num_items: int = 40, **changes: Any) -> Maps:
    """Maps of a made-up dataset, whose runs hold random vectors of four numbers."""
    rng = np.random.default_rng(8)
    vectors = [(run, rng.standard_normal((num_items, 4)).astype(np.float32)) for run in runs]
    return draw_maps(map_data(num_items, **changes), vectors)


def map_data(num_items: int = 40, **changes: Any) -> MapData:
    """A catalogue of lamps, mugs and one thing in three that is neither; item i was had i times."""
    counts = np.arange(num_items, dtype=np.int32)
    words = ["Oak LAMP", "Mug, blue", "Nothing"]
    ids = [f"item.{place:04d}" for place in range(num_items)]
    columns = _items(ids, ids).to_pydict() | {"training_count": counts, "is_cold": counts < 10}
    histories = [[*range(1, min(user, num_items) + 1)] for user in range(2, 14)]
    data = MapData(
        dataset="shop",
        items=pa.table(columns, schema=schemas.CLEAN_ITEMS),
        users=pa.table(
            {
                "user_id": [f"user <{user}>" for user in range(len(histories))],
                "user_index": np.arange(len(histories), dtype=np.int32),
                "num_interactions": np.array([len(one) for one in histories], np.int32),
            },
            schema=schemas.CLEAN_USERS,
        ),
        sequences=sequence_table(histories),
        sentences=pa.table(
            {
                "item_id": ids,
                "position": np.zeros(num_items, np.int32),
                "sentence": [words[place % 3] for place in range(num_items)],
            },
            schema=schemas.SENTENCES,
        ),
        categories=["lamp", "mug", "sock"],
        cold_threshold=10,
    )
    return replace(data, **changes)


def pack(directory: Path, contents: dict[str, bytes]) -> Path:
    """Write pictures as RAW_IMAGES parts."""
    by_key = dict(sorted((content_key(data), data) for data in contents.values()))
    with PartWriter(directory, schemas.RAW_IMAGES) as writer:
        writer.write(
            pa.table(
                {
                    "content_key": pa.array(by_key.keys(), pa.binary(16)),
                    "bytes": pa.array(by_key.values(), pa.large_binary()),
                },
                schema=schemas.RAW_IMAGES,
            )
        )
    return directory


def _items(item_ids: list[str], titles: list[str]) -> pa.Table:
    zeros = np.zeros(len(item_ids), np.int32)
    return pa.table(
        {
            "item_id": item_ids,
            "item_index": np.arange(1, len(item_ids) + 1, dtype=np.int32),
            "title": titles,
            "num_sentences": zeros,
            "num_images": zeros,
            "training_count": zeros,
            "is_cold": zeros.astype(bool),
        },
        schema=schemas.CLEAN_ITEMS,
    )


def _keywords(images: pa.Table, rng: np.random.Generator) -> pa.Table:
    words = ["lamp", "oak", "striped", "round", "<i>red</i>", "mid-century", "folding", "navy"]
    chosen = [[words[(row + step) % 8] for step in range(5)] for row in range(images.num_rows)]
    scores = [sorted(rng.uniform(0.1, 0.35, 5).tolist(), reverse=True) for _ in chosen]
    return pa.table(
        {
            **{name: images.column(name) for name in images.column_names},
            "keywords": pa.array(chosen, pa.list_(pa.string())),
            "scores": pa.array(scores, pa.list_(pa.float32())),
            "sentence": pa.array([" ".join(row) for row in chosen], pa.string()),
        }
    ).cast(schemas.KEYWORDS)


def _ranks(lengths: npt.NDArray[np.int64], histories: list[list[int]]) -> pa.Table:
    """RANKS of everybody with three items: user 1 at rank 1,011, user 2 at 1,022, …"""
    evaluated = np.flatnonzero(lengths >= 3)
    columns = {
        "user_index": evaluated,
        "target": [histories[user][-1] for user in evaluated],
        "rank": 1000 + 11 * evaluated,
        "target_is_cold": evaluated % 2 == 0,
        "target_training_count": evaluated,
        "history_length": lengths[evaluated] - 1,
    }
    return pa.table(columns).cast(schemas.RANKS)


def _recommendations(world: World, rng: np.random.Generator, *, top_k: int) -> pa.Table:
    rows = []
    for user_id in world.users.column("user_id").to_pylist():
        places = rng.permutation(len(world.item_ids))[:top_k]
        scores = np.sort(rng.uniform(0, 2, top_k))[::-1]
        rows += [
            {
                "user_id": user_id,
                "rank": rank,
                "item_id": world.item_ids[place],
                "title": world.titles[place],
                "score": float(score),
            }
            for rank, (place, score) in enumerate(zip(places, scores, strict=True), start=1)
        ]
    return pa.Table.from_pylist(rows, schema=schemas.RECOMMENDATIONS)
