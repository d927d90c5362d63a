"""Source params in, source out: the only place of `data/` that knows params."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from mmrec.data.sources.source import Source
from mmrec.params.datasets import (
    DemoSourceParams,
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
                files, layout=params.layout, posters=params.posters, metadata=params.metadata
            )
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


def _build_tabular(params: TabularSourceParams, files: Path) -> Source:
    from mmrec.data.sources.tabular import InteractionColumns, ItemColumns, TabularSource

    interactions, items = params.interactions, params.items
    return TabularSource(
        files,
        interactions=InteractionColumns(
            file=interactions.file,
            user_id=interactions.user_id,
            item_id=interactions.item_id,
            timestamp=interactions.timestamp,
            timestamp_unit=interactions.timestamp_unit,
            rating=interactions.rating,
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
        ),
    )
