"""A project on disk whose runs are evaluated on a made-up world."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa

from mmrec import schemas
from mmrec.io import write_json, write_table
from mmrec.params.file import load_params
from mmrec.params.ranked import ranked_entries
from mmrec.paths import Paths
from mmrec.run_paths import lists_of
from tests.report.worlds import World

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml")
PROTOCOL = {"dataset": "demo", "mask_history": True}


def write_project(folder: Path) -> World:
    """Runs, ensembles of `params.yaml`: the n-th has for user u the items u + n + 1 … u + n + 5.

    Its held-out items have the ranks of the world, times n.
    """
    shutil.copy(ROOT / "params.yaml", folder)
    paths, world = Paths(folder), World(folder / "world")
    dataset = paths.dataset("demo")
    write_table(world.items, dataset.items, schemas.CLEAN_ITEMS)
    write_table(world.users, dataset.users, schemas.CLEAN_USERS)
    write_table(world.sequences, dataset.sequences, schemas.CLEAN_SEQUENCES)
    write_table(world.images, dataset.images, schemas.IMAGES)
    shutil.copytree(world.raw_images, dataset.raw_images)
    users = world.ranks["user_index"].to_pylist()
    for place, name in enumerate(ranked_entries(PARAMS), start=1):
        results = paths.run(name)
        items = [[(user + place + step) % 36 + 1 for step in range(5)] for user in users]
        ranks = world.ranks.to_pydict()
        ranks["rank"] = [rank * place for rank in ranks["rank"]]
        # Rows may be in any order, as long as both tables have the same.
        table = pa.table(ranks).cast(schemas.RANKS)
        lists = pa.table({"user_index": users, "items": items}).cast(schemas.LISTS)
        order = [*range(place, len(users)), *range(place)]
        write_table(table.take(order), results.ranks, schemas.RANKS)
        write_table(lists.take(order), lists_of(results), schemas.LISTS)
        write_json({"protocol": PROTOCOL}, results.all_metrics)
    return world
