"""What the page shows of one dataset: its tables and its runs in; pictures, maps, lists out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mmrec import schemas
from mmrec.evaluation.vectors import Vectors, vectors_of
from mmrec.io import DataError, read_json, read_table, read_vectors
from mmrec.params.pipeline import Params
from mmrec.params.ranked import ranked_entries, stage_of
from mmrec.paths import Paths
from mmrec.report.colourings import MapData
from mmrec.report.dataset_tables import Tables
from mmrec.report.gallery import gallery
from mmrec.report.maps import Maps, draw_maps
from mmrec.report.page import Showcase
from mmrec.report.run_lists import RunLists, load_run_lists
from mmrec.report.shapes import ListsSummary
from mmrec.report.showcase import sample_users
from mmrec.report.shown_items import ShownItems, shown_items
from mmrec.report.shown_lists import ShownLists, shown_lists
from mmrec.report.thumbnails import Thumbnails


@dataclass(frozen=True)
class Shown:
    """All that the page shows of the dataset that `report.dataset` names."""

    showcase: Showcase
    items: ShownItems
    lists: ShownLists
    maps: Maps | None


def collect_shown(params: Params, paths: Paths) -> Shown:
    """Pictures, users, items, lists of all runs and maps of some.

    Raises:
        DataError: what was written of a run is not whole.
    """
    tables = Tables(paths.dataset(params.report.dataset))
    showcase = _showcase(params, paths, tables)
    lists = _run_lists(params, paths, tables, showcase)
    return Shown(
        showcase=showcase,
        items=_items(params, tables, lists[params.recommend.run]),
        lists=shown_lists(
            lists,
            {user.user_id: user.user_index for user in showcase.users},
            items=tables.items,
            images=tables.images,
            keywords=tables.keywords,
            thumbnails=tables.tiny,
        ),
        maps=collect_maps(params, paths, tables, lists),
    )


def _showcase(params: Params, paths: Paths, tables: Tables) -> Showcase:
    """Pictures with their keywords, and users with their history and their top-K."""
    settings = params.report
    thumbnails = Thumbnails(tables.pictures)
    return Showcase(
        dataset=settings.dataset,
        run=params.recommend.run,
        keep_seen=params.recommend.keep_seen,
        lists=read_json(paths.recommendations / "summary.json", ListsSummary),
        gallery=gallery(
            tables.keywords, tables.items, thumbnails, num_entries=settings.num_gallery_items
        ),
        users=sample_users(
            items=tables.items,
            users=tables.users,
            sequences=tables.sequences,
            ranks=read_table(paths.run(params.recommend.run).ranks, schemas.RANKS),
            recommendations=read_table(paths.recommended_lists, schemas.RECOMMENDATIONS),
            images=tables.images,
            keywords=tables.keywords,
            thumbnails=thumbnails,
            num_users=settings.num_sample_users,
            mask_history=params.evaluate.mask_history,
        ),
    )


def _run_lists(
    params: Params, paths: Paths, tables: Tables, showcase: Showcase
) -> dict[str, RunLists]:
    users = [user.user_index for user in showcase.users]
    return {
        name: load_run_lists(
            name, params, paths, num_items=tables.items.num_rows, user_indices=users
        )
        for name, entry in ranked_entries(params).items()
        if entry.dataset == params.report.dataset
    }


def _items(params: Params, tables: Tables, lists: RunLists) -> ShownItems:
    return shown_items(
        params.report.dataset,
        items=tables.items,
        images=tables.images,
        keywords=tables.keywords,
        sentences=tables.sentences,
        categories=params.report.categories,
        lists=lists,
        thumbnails=tables.tiny,
    )


def collect_maps(
    params: Params, paths: Paths, tables: Tables, lists: Mapping[str, RunLists]
) -> Maps | None:
    """Maps of the runs that `report.maps` names; None where it names none.

    Raises:
        DataError: the vectors of one are not whole.
    """
    settings = params.report
    if not settings.maps:
        return None
    data = MapData(
        dataset=settings.dataset,
        items=tables.items,
        users=tables.users,
        sequences=tables.sequences,
        sentences=tables.sentences,
        categories=settings.categories,
        cold_threshold=params.datasets[settings.dataset].clean.cold_threshold,
        lists={name: lists[name] for name in settings.maps},
    )
    return draw_maps(data, _item_vectors(params, paths, data.items.num_rows))


def _item_vectors(params: Params, paths: Paths, num_items: int) -> Iterator[tuple[str, Vectors]]:
    for name in params.report.maps:
        path = paths.run(name).item_vectors
        table = read_vectors(path, schemas.item_vectors)
        if table.num_rows != num_items:
            raise DataError(
                f"{path}: {table.num_rows} vectors, expected {num_items}, one for each item; run "
                f"`dvc repro {stage_of(params, name)}`"
            )
        yield name, vectors_of(table, str(path))
