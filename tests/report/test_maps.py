"""Maps: the same every time, of the same items for all runs, and a sentence where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_info, threadpool_limits

from mmrec import schemas
from mmrec.params.pipeline import MAX_CATEGORIES
from mmrec.report import colourings
from mmrec.report import maps as maps_module
from mmrec.report.categories import categories_of
from mmrec.report.colourings import NUM_USERS
from mmrec.report.maps import NUM_ITEMS, Maps, Picture, draw_maps
from mmrec.report.marks import Group, Mark, marks, scatter
from mmrec.report.projection import project
from tests.data.raw_world import sequence_table
from tests.report.outline import parse
from tests.report.worlds import World, map_data, maps_of, page_of


def random_vectors(num: int, dim: int = 4, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num, dim)).astype(np.float32)


def by_heading(maps: Maps) -> dict[str, Picture]:
    return {picture.heading: picture for picture in maps.pictures}


def labels(picture: Picture) -> list[str]:
    return [group.label for group in picture.legend]


def test_maps_have_the_same_bytes_every_time() -> None:
    first = maps_of("a", "b", num_items=60)
    assert maps_of("a", "b", num_items=60) == first
    drawn = [drawing.svg for picture in first.pictures for drawing in picture.drawings]
    assert len(drawn) == len({*drawn}) == 6


def test_a_map_is_laid_out_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    plain = TSNE.fit_transform

    def recorded(layout: TSNE, points: np.ndarray) -> np.ndarray:
        threads.update(pool["num_threads"] for pool in threadpool_info())
        return plain(layout, points)

    monkeypatch.setattr(TSNE, "fit_transform", recorded)
    with threadpool_limits(2):
        project(random_vectors(10))
    assert threads == {1}


def test_what_is_near_stays_near() -> None:
    vectors = random_vectors(60)
    vectors[:30] += 20
    places = project(vectors)
    assert places is not None
    middle = [places[:30].mean(axis=0), places[30:].mean(axis=0)]
    own = np.linalg.norm(places - np.repeat(middle, 30, axis=0), axis=1)
    other = np.linalg.norm(places - np.repeat(middle[::-1], 30, axis=0), axis=1)
    assert (own < other).all()


@pytest.mark.parametrize(("num", "dim"), [(4, 4), (5, 1), (29, 2), (40, 1)])
def test_few_vectors_and_narrow_ones_are_laid_out(num: int, dim: int) -> None:
    places = project(random_vectors(num, dim))
    assert places is not None
    assert places.shape == (num, 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("vectors", [random_vectors(3), random_vectors(0), np.ones((50, 4))])
def test_too_few_or_equal_vectors_are_laid_out_nowhere(vectors: np.ndarray) -> None:
    assert project(vectors.astype(np.float32)) is None


def test_every_item_is_in_one_group_and_cold_ones_are_crosses() -> None:
    (popularity, category, _) = maps_of("a", num_items=95).pictures
    for picture in (popularity, category):
        members = [row for group in picture.legend for row in group.members]
        assert sorted(members) == [*range(95)]
    assert labels(popularity)[:2] == ["0 (cold)", "1–9 (cold)"]
    assert labels(popularity)[-1].endswith("–94")
    cold = {
        row for group in popularity.legend if group.mark.shape == "cross" for row in group.members
    }
    assert cold == {*range(10)}
    assert len({group.mark for group in popularity.legend}) == len(popularity.legend)


def test_without_cold_items_or_training_there_are_fewer_groups() -> None:
    data = map_data(50, cold_threshold=0)
    (popularity, _, _) = draw_maps(data, [("a", random_vectors(50))]).pictures
    assert {group.mark.shape for group in popularity.legend} == {"dot"}
    assert "cold" not in popularity.note
    zeros = data.items.to_pydict() | {"training_count": [0] * 50}
    untrained = map_data(50, items=pa.table(zeros, schema=schemas.CLEAN_ITEMS))
    (popularity, _, _) = draw_maps(untrained, [("a", random_vectors(50))]).pictures
    assert labels(popularity) == ["0 (cold)"]


def test_categories_are_in_the_order_of_the_params_and_only_those_there_are() -> None:
    picture = by_heading(maps_of("a"))["items by category"]
    assert labels(picture) == ["none of these", "lamp", "mug"]
    assert [*picture.legend[1].members] == [*range(0, 40, 3)]


def test_without_categories_items_are_coloured_by_popularity_alone() -> None:
    assert [*by_heading(maps_of("a", categories=[]))] == [
        "items by popularity",
        "histories by user",
    ]


def test_large_catalogues_are_drawn_of_a_sample_that_all_runs_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maps_module, "NUM_ITEMS", 50)
    vectors = random_vectors(90)
    maps = draw_maps(map_data(90), [("a", vectors), ("b", vectors.copy())])
    assert (maps.num_items, len(maps.drawn)) == (90, 50)
    first, second = maps.pictures[0].drawings
    assert str(first.svg).replace("a: items", "b: items") == second.svg
    assert points(str(first.svg)) == 50


def test_a_thousand_points_take_little_of_a_page() -> None:
    assert NUM_ITEMS == 1000
    for mark in marks(3):
        svg = scatter("t", random_vectors(NUM_ITEMS, 2), [Group("g", mark, range(NUM_ITEMS))])
        assert points(svg) == NUM_ITEMS
        assert len(svg) < 40_000


def points(svg: str) -> int:
    return len(re.findall(r"M\d+ \d+", svg))


def test_histories_are_the_items_of_the_latest_steps_of_some_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(colourings, "MAX_STEPS", 5)
    data = map_data()
    picture = maps_of("a").pictures[-1]
    users = data.users.column("user_id").to_pylist()
    lengths = {user: min(5, length) for user, length in zip(users, range(2, 14), strict=True)}
    assert len(picture.legend) == NUM_USERS < len(users)
    drawn = {group.label: len(group.members) for group in picture.legend}
    assert drawn.items() <= lengths.items()
    assert points(str(picture.drawings[0].svg)) == sum(drawn.values())
    assert "at most the latest 5, of 10 users" in picture.note


def test_a_step_is_drawn_where_its_item_is() -> None:
    histories = [[30, 1], [1, 2, 3, 30]]
    two = map_data(30, sequences=sequence_table(histories))
    vectors = np.zeros((30, 2), np.float32)
    vectors[29] = 50
    (one, other) = (group.members for group in draw_maps(two, [("a", vectors)]).pictures[-1].legend)
    places = project(vectors[[29, 0, 0, 1, 2, 29]])
    svg = draw_maps(two, [("a", vectors)]).pictures[-1].drawings[0].svg
    assert places is not None
    assert ([*one], [*other]) == ([0, 1], [2, 3, 4, 5])
    looks = [Group("", mark, rows) for mark, rows in zip(marks(2), (one, other), strict=True)]
    assert svg == scatter("a: histories by user", places, looks)


def test_marks_are_distinct_for_as_many_groups_as_there_may_be() -> None:
    assert len({*marks(MAX_CATEGORIES)}) == MAX_CATEGORIES
    assert len({mark.shape for mark in marks(3)}) == 3


def test_a_drawing_keeps_distances_and_stays_within_its_frame() -> None:
    places = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 10.0]])
    svg = scatter("t", places, [Group("g", Mark("#000000", "dot"), [0, 1, 2])])
    found = [tuple(map(int, pair)) for pair in re.findall(r"M(\d+) (\d+)", svg)]
    (x0, y0), (x1, y1), (x2, y2) = found
    assert x1 - x0 == 4 * (y2 - y0)
    assert (y0, x2) == (y1, x0)
    assert all(0 < value < 1000 for pair in found for value in pair)


def test_hostile_names_are_text() -> None:
    name = '<b> & "x"'
    svg = scatter(name, np.zeros((1, 2)), [Group(name, Mark("#000000", "dot"), [0])])
    assert ElementTree.fromstring(svg).get("aria-label") == name


def test_the_first_word_of_a_text_is_its_category_and_the_longest_of_two() -> None:
    rows = [
        ("b", 1, "A lamp and a mug."),
        ("b", 0, "Piece by Corvane"),
        ("a", 0, "TABLE LAMP no. 3, with lamp"),
        ("c", 0, "Lampshade, mugs"),
        ("d", 0, "Comedy, Drama"),
        ("other", 0, "mug"),
    ]
    columns = dict(zip(schemas.SENTENCES.names, zip(*rows, strict=True), strict=True))
    sentences = pa.table({name: [*column] for name, column in columns.items()}).cast(
        schemas.SENTENCES
    )
    words = ["lamp", "mug", "Table lamp", "Drama", "comedy"]
    found = categories_of(["a", "b", "c", "d", "nowhere"], sentences, words)
    assert found == ["Table lamp", "lamp", None, "comedy", None]
    assert categories_of(["a"], sentences, []) == [None]


def test_the_page_has_maps_with_their_number_and_none_without(tmp_path: Path) -> None:
    data = map_data(60)
    line = np.log1p(np.arange(60, dtype=np.float32))[:, None]
    maps = draw_maps(data, [("by <popularity>", line), ("flat", np.ones((60, 2), np.float32))])
    world = World(tmp_path)
    (section,) = parse(page_of(world, maps)).find("section", ident="maps")
    assert "by <popularity>" in section.text
    assert "+1.00" in section.text
    assert "nothing to correlate" in section.text
    assert section.text.count("Nothing to lay out") == 3
    assert len([node for node in section.find("svg") if "map" in str(node.attrs["class"])]) == 3
    assert not parse(page_of(world)).find("section", ident="maps")
