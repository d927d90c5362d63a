"""Source params in, source out: the only place of `data/` that knows params."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from mmrec.data.sources.source import Source
from mmrec.params.sources import (
    AmazonSourceParams,
    DemoSourceParams,
    GoodreadsSourceParams,
    HmSourceParams,
    MovielensSourceParams,
    RawSourceParams,
    SequencesSourceParams,
    SourceParams,
    TabularSourceParams,
)


def build_source(params: SourceParams, files: Path) -> Source:
    """Build the source that `params` names over the folder `files`."""
    match params:
        case DemoSourceParams():
            from mmrec.data.sources.demo import DemoSource

            return DemoSource(
                num_items=params.num_items, num_users=params.num_users, seed=params.seed
            )
        case MovielensSourceParams():
            from mmrec.data.sources.movielens import MovielensSource

            return MovielensSource(
                files,
                layout=params.layout,
                posters=params.posters,
                metadata=params.metadata,
                without=params.without,
            )
        case AmazonSourceParams():
            return _build_amazon(params, files)
        case GoodreadsSourceParams():
            return _build_goodreads(params, files)
        case HmSourceParams():
            from mmrec.data.sources.hm import HmSource

            return HmSource(files, images=params.images)
        case TabularSourceParams():
            return _build_tabular(params, files)
        case SequencesSourceParams():
            from mmrec.data.sources.sequences import SequencesSource

            return SequencesSource(files / params.file)
        case RawSourceParams():
            from mmrec.data.sources.raw import RawSource

            return RawSource(files)
        case _:
            assert_never(params)


def _build_amazon(params: AmazonSourceParams, files: Path) -> Source:
    from mmrec.data.sources.amazon import AmazonSource

    return AmazonSource(
        files,
        layout=params.layout,
        reviews=params.reviews,
        metadata=params.metadata,
        images=params.images,
    )


def _build_goodreads(params: GoodreadsSourceParams, files: Path) -> Source:
    from mmrec.data.sources.goodreads import GoodreadsSource

    return GoodreadsSource(
        files,
        books=params.books,
        interactions=params.interactions,
        book_ids=params.book_ids,
        genres=params.genres,
        images=params.images,
    )


def _build_tabular(params: TabularSourceParams, files: Path) -> Source:
    from mmrec.data.sources.tabular import InteractionColumns, ItemColumns, TabularSource

    interactions, items = params.interactions, params.items
    return TabularSource(
        files,
        interactions=None
        if interactions is None
        else InteractionColumns(
            file=interactions.file,
            user_id=interactions.user_id,
            item_id=interactions.item_id,
            timestamp=interactions.timestamp,
            timestamp_unit=interactions.timestamp_unit,
            rating=interactions.rating,
            separator=interactions.separator,
        ),
        items=None
        if items is None
        else ItemColumns(
            file=items.file,
            item_id=items.item_id,
            title=items.title,
            texts=tuple(items.texts),
            image_files=items.image_files,
            image_folder=items.image_folder,
            image_urls=items.image_urls,
            separator=items.separator,
        ),
    )
