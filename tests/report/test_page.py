"""The page says what the tables say, escapes what they hold, and copes with what they lack."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from mmrec import schemas
from mmrec.report.page import Showcase, render_page
from mmrec.report.runs import RunReport
from mmrec.report.steps import dataset_report
from tests.report.made_runs import metrics, runs
from tests.report.outline import parse
from tests.report.summaries import SUMMARY
from tests.report.worlds import PROTOCOL, World, page_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def page(world: World) -> str:
    return page_of(world)


def test_page_has_the_same_bytes_every_time(world: World, page: str) -> None:
    assert page_of(world) == page


def test_page_nests_has_one_title_and_no_id_twice(page: str) -> None:
    outline = parse(page)
    assert len(outline.find("h1")) == 1
    ids = [node.attrs["id"] for node in outline.walk() if "id" in node.attrs]
    assert len(ids) == len(set(ids))


def test_headings_never_skip_a_level(page: str) -> None:
    levels = [int(n.tag[1]) for n in parse(page).walk() if n.tag in ("h1", "h2", "h3", "h4")]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_text_is_shown_not_run(page: str) -> None:
    assert page.count("<script") == 2, "its data and its code"
    assert "<b>bold" not in page
    assert "<i>red" not in page
    outline = parse(page)
    assert "<script>alert('x')</script>" in outline.text
    assert "{{ 7 * 7 }}" in outline.text
    assert "مصباح مكتب قابل للطي" in outline.text
    assert "A <made-up> shop & its runs" in outline.text


def test_every_picture_is_inside_the_page_and_has_a_text(page: str) -> None:
    pictures = [node.attrs for node in parse(page).find("img")]
    assert pictures
    assert all(str(found["src"]).startswith("data:image/jpeg;base64,") for found in pictures)
    assert all(found["alt"] for found in pictures)


def test_page_tells_counts_reasons_metrics_and_settings(page: str) -> None:
    text = parse(page).text
    for expected in (
        "1,650",
        "pictures: 2 damaged, 8 beyond clean.max_images",
        "3 items without text. 1,012 cold items.",
        "Cold targets (143 users)",
        "no user’s held-out item is among these",
        f"{metrics(0.21)['all']['recall@10']:.4f}",  # type: ignore[index]
        "Is shop-mp4sr better than the others by more than chance? NDCG@10",
        "Single losses of shop-mp4sr",
        '"seed": 2020',
    ):
        assert expected in text


def test_item_without_picture_or_title_has_a_placeholder(page: str) -> None:
    text = parse(page).text
    assert "no picture" in text
    assert "no title" in text


def test_long_history_says_how_much_of_it_is_shown(page: str) -> None:
    assert "the last 12 of 29" in parse(page).text


@pytest.mark.usefixtures("drawn_once")
def test_world_without_pictures_titles_and_keywords_says_so(tmp_path: Path) -> None:
    bare = World(tmp_path, pictures=False, titles=("",) * 36, words=False)
    outline = parse(page_of(bare))
    assert outline.find("img") == []
    assert "No picture of shop has keywords." in outline.text
    assert "no title" in outline.text


@pytest.mark.usefixtures("drawn_once")
def test_pictures_without_keywords_are_still_shown_with_users(tmp_path: Path) -> None:
    outline = parse(page_of(World(tmp_path, words=False)))
    assert outline.find("img")
    assert "No picture of shop has keywords." in outline.text


def test_nothing_at_all_is_still_a_page() -> None:
    page = render_page(
        title="empty",
        datasets=[],
        runs=[],
        protocol=PROTOCOL,
        showcase=Showcase("none", "none"),
    )
    text = parse(page).text
    for expected in (
        "No dataset is described here.",
        "No run has been evaluated.",
        "No run has been trained.",
        "There are no users of none to show.",
        "There are no runs.",
    ):
        assert expected in text


def test_runs_without_training_or_users_say_so() -> None:
    empty = {"num_users": 0}
    run = RunReport(
        name="popularity",
        dataset="shop",
        model="popularity",
        metrics={
            **dict.fromkeys(("all", "cold", "warm", "new"), empty),
            "history_length": {},
            "protocol": {"tie_order": "file", "split": {"name": "leave_one_out"}},
        },
        ranks=schemas.RANKS.empty_table(),
    )
    page = render_page(
        title="x",
        datasets=[dataset_report("shop", {})],
        runs=[run],
        protocol=PROTOCOL,
        showcase=Showcase("shop", "popularity"),
    )
    text = parse(page).text
    assert "No run on this dataset has metrics." in text
    assert "No run on this dataset was trained." in text
    assert "No cleaning summary of this dataset was found." in text


@pytest.mark.usefixtures("drawn_once")
def test_user_for_whom_nothing_is_left_says_so(world: World, tmp_path: Path) -> None:
    finished = World(tmp_path)
    finished.recommendations = schemas.RECOMMENDATIONS.empty_table()
    assert "Nothing is left to recommend to this user." in page_of(finished)


@pytest.mark.usefixtures("drawn_once")
def test_runs_of_several_datasets_are_compared_apart(world: World) -> None:
    elsewhere = [replace(run, name=f"other-{run.name}", dataset="other") for run in runs()]
    page = render_page(
        title="two",
        datasets=[dataset_report("shop", SUMMARY)],
        runs=[*runs(), *elsewhere],
        protocol=PROTOCOL,
        showcase=world.showcase(),
    )
    outline = parse(page)
    ids = [node.attrs["id"] for node in outline.walk() if "id" in node.attrs]
    assert len(ids) == len(set(ids))
    assert "6 runs on 2 datasets" in outline.text


@pytest.mark.usefixtures("drawn_once")
def test_page_stays_small_with_the_usual_number_of_pictures(tmp_path: Path) -> None:
    large = World(tmp_path, num_items=200)
    page = render_page(
        title="large",
        datasets=[dataset_report("shop", SUMMARY)],
        runs=runs(),
        protocol=PROTOCOL,
        showcase=large.showcase(num_users=10, num_entries=30),
    )
    assert len(page.encode()) < 3_000_000


def test_settings_are_shown_as_json(page: str) -> None:
    text = parse(page).text
    start = text.index("{", text.index("shop-popularity (popularity on shop)"))
    assert json.JSONDecoder().raw_decode(text[start:])[0] == runs()[0].params
