"""What the report reads of one dataset: its maps and lists, whole or one message what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mmrec import schemas
from mmrec.io import DataError, write_table
from mmrec.params.file import load_params
from mmrec.params.pipeline import Params
from mmrec.paths import Paths
from mmrec.report.collect_shown import collect_maps
from mmrec.report.dataset_tables import Tables
from mmrec.report.maps import Maps
from mmrec.report.run_lists import RunLists, load_run_lists
from mmrec.run_paths import lists_of
from tests.report.made_runs import ranks_of
from tests.report.worlds import map_data
from tests.retrieval.worlds import item_table

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml")


def maps_in(paths: Paths, params: Params = PARAMS) -> Maps | None:
    """Maps of a project with thirty items, none of which is on any list."""
    nothing = np.zeros(30, np.int64)
    lists = {name: RunLists(name, 10, 12, nothing, {}) for name in params.report.maps}
    return collect_maps(params, paths, Tables(paths.dataset("demo")), lists)


@pytest.fixture
def with_vectors(tmp_path: Path) -> Paths:
    """A project with the tables that maps are drawn of, and vectors of thirty items."""
    paths = Paths(tmp_path)
    dataset, data = paths.dataset("demo"), map_data(30)
    write_table(data.items, dataset.items, schemas.CLEAN_ITEMS)
    write_table(data.users, dataset.users, schemas.CLEAN_USERS)
    write_table(data.sequences, dataset.sequences, schemas.CLEAN_SEQUENCES)
    write_table(data.sentences, dataset.sentences, schemas.SENTENCES)
    for name in PARAMS.report.maps:
        write_vectors(np.random.default_rng(2).standard_normal((30, 3)), name, paths)
    return paths


def write_vectors(vectors: np.ndarray, run: str, paths: Paths) -> None:
    table = item_table(vectors)
    write_table(table, paths.run(run).item_vectors, table.schema)


def test_maps_are_of_the_runs_that_are_named_in_that_order(with_vectors: Paths) -> None:
    maps = maps_in(with_vectors)
    assert maps is not None
    assert [one.run for one in maps.correlations] == PARAMS.report.maps
    for picture in maps.pictures:
        assert [drawing.run for drawing in picture.drawings] == PARAMS.report.maps
    assert "fewer than 10, are crosses" in maps.pictures[0].note


def test_without_names_nothing_is_read_and_there_are_no_maps(tmp_path: Path) -> None:
    report = PARAMS.report.model_copy(update={"maps": []})
    assert maps_in(Paths(tmp_path), PARAMS.model_copy(update={"report": report})) is None


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (
            np.ones((29, 3)),
            r"demo-mp4sr/items\.parquet: 29 vectors, expected 30, one for each",
        ),
        (np.full((30, 3), np.nan), r"demo-mp4sr/items\.parquet: 30 of 30 vectors are not finite"),
    ],
)
def test_vectors_that_are_not_whole_name_their_file(
    with_vectors: Paths, vectors: np.ndarray, says: str
) -> None:
    write_vectors(vectors, "demo-mp4sr", with_vectors)
    with pytest.raises(DataError, match=says):
        maps_in(with_vectors)


def test_lists_of_another_evaluation_than_the_ranks_name_the_stage(tmp_path: Path) -> None:
    paths, ranks = Paths(tmp_path), ranks_of(0.2)
    results = paths.run("demo-sasrec")
    with pytest.raises(DataError, match=r"not evaluated .*`dvc repro evaluate@demo-sasrec`"):
        load_run_lists("demo-sasrec", PARAMS, paths, num_items=36, user_indices=[3])
    write_table(ranks, results.ranks, schemas.RANKS)
    columns = {"user_index": ranks["user_index"], "items": [[4, 2]] * ranks.num_rows}
    lists = pa.table(columns).cast(schemas.LISTS)
    write_table(lists, lists_of(results), schemas.LISTS)
    found = load_run_lists("demo-sasrec", PARAMS, paths, num_items=36, user_indices=[3])
    assert found.of_users.keys() == {3}
    assert found.of_users[3].items == [4, 2]
    assert found.times.tolist() == [0, 50, 0, 50, *[0] * 32]
    write_table(lists.slice(1), lists_of(results), schemas.LISTS)
    with pytest.raises(DataError, match=r"lists\.parquet: found lists of other users than"):
        load_run_lists("demo-sasrec", PARAMS, paths, num_items=36, user_indices=[3])
