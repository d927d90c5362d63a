"""Runs side by side on the page: who they are, how they were measured, which value is best."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmrec.report.page import Protocol, render_page
from tests.report.made_runs import cold_ranks, metrics, positions, pretrainings, runs
from tests.report.outline import Node, parse
from tests.report.worlds import PROTOCOL, World, page_of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def page(world: World) -> str:
    return page_of(world)


def _comparison_rows(page: str) -> dict[str, dict[str, list[Node]]]:
    """Cells of the table of metrics, by part and run."""
    (table,) = parse(page).find("div", css="pinned")
    parts: dict[str, dict[str, list[Node]]] = {}
    for body in table.find("tbody"):
        head, *rows = body.find("tr")
        name = head.words.partition(" (")[0]
        parts[name] = {row.find("bdi")[0].text: row.find("td") for row in rows if row.find("bdi")}
    return parts


def test_table_marks_the_best_value_of_each_column_and_no_other(page: str) -> None:
    parts = _comparison_rows(page)
    assert list(parts) == ["All users", "Warm targets", "Cold targets", "New targets"]
    assert [len(rows) for rows in parts.values()] == [3, 3, 3, 0]
    for rows in parts.values():
        for name, row in rows.items():
            marked = [cell.attrs.get("class") == "best" for cell in row]
            assert marked == [name == "shop-mp4sr"] * 13


def test_table_has_every_figure_under_its_metric(page: str) -> None:
    (table,) = parse(page).find("div", css="pinned")
    columns = [cell.text for cell in table.find("tr")[1].find("th")]
    assert columns == ["@5", "@10", "@20", "@50"] * 3 + ["all ranks"]
    row = [cell.text for cell in _comparison_rows(page)["Cold targets"]["shop-sasrec"]]
    cold: dict[str, float] = metrics(0.14)["cold"]  # type: ignore[assignment]
    names = [f"{family}@{k}" for family in ("recall", "ndcg", "mrr") for k in (5, 10, 20, 50)]
    assert row == [f"{cold[name]:.4f}" for name in [*names, "mrr"]]


@pytest.mark.usefixtures("drawn_once")
def test_lists_have_a_table_of_their_own_without_a_best_value(world: World) -> None:
    def lists(level: float) -> dict[str, object]:
        group = {"coverage@10": level, "novelty@10": 9 + level, "num_users": 7}
        few = {"coverage@10": level / 2, "num_users": 2}
        return {"all": group, "history_length": {"1-5": few, "6+": {"num_users": 0}}}

    made = runs()
    made[1:] = [
        replace(run, metrics={**run.metrics, "lists": lists(level)})
        for run, level in zip(made[1:], (0.2, 0.4), strict=True)
    ]
    page = render_page(
        title="x", datasets=[], runs=made, protocol=PROTOCOL, showcase=world.showcase()
    )
    _, table = parse(page).find("div", css="pinned")
    assert [cell.text for cell in table.find("tr")[0].find("th")] == ["Run", "Coverage", "Novelty"]
    heads = [body.find("tr")[0].words for body in table.find("tbody")]
    assert [head.partition(" (")[0] for head in heads] == [
        "All users",
        "1-5 items in the history",
        "6+ items in the history",
    ]
    everybody, few, nobody = (body.find("tr")[1:] for body in table.find("tbody"))
    assert [cell.text for cell in everybody[1].find("td")] == ["0.4000", "9.4000"]
    assert [cell.text for cell in few[0].find("td")] == ["0.1000", "–"]
    assert [row.find("bdi")[0].text for row in few] == ["shop-sasrec", "shop-mp4sr"]
    assert len(nobody) == 1
    assert not [cell for cell in table.find("td") if cell.attrs.get("class") == "best"]


@pytest.mark.parametrize("mask_history", [True, False])
@pytest.mark.usefixtures("drawn_once")
def test_protocol_stands_above_the_metrics(world: World, mask_history: bool) -> None:
    page = render_page(
        title="x",
        datasets=[],
        runs=[*runs(), replace(runs()[0], name="r", dataset="elsewhere")],
        protocol=Protocol(mask_history=mask_history, cold_thresholds={"shop": 7, "elsewhere": 12}),
        showcase=world.showcase(),
    )
    shop, elsewhere = (node.words for node in parse(page).find("p", css="protocol"))
    assert ("history are masked (evaluate.mask_history: true)" in shop) == mask_history
    assert ("compete with it (evaluate.mask_history: false)" in shop) != mask_history
    assert "Cold targets have fewer than 7 training interactions (clean.cold_threshold)" in shop
    assert "new ones have none and are part of cold" in shop
    assert "fewer than 12 training interactions" in elsewhere
    assert page.index('class="soft protocol"') < page.index('class="scroll pinned"')


@pytest.mark.parametrize("mode", ["heldout", "literal"])
@pytest.mark.usefixtures("drawn_once")
def test_cold_positions_are_counted_in_samples_and_explained(world: World, mode: str) -> None:
    made = [
        replace(run, metrics={**run.metrics, **positions(0.1)}, cold_ranks=cold_ranks(0.2))
        for run in runs()
    ]
    page = render_page(
        title="x",
        datasets=[],
        runs=made,
        protocol=replace(PROTOCOL, cold_positions=mode),
        showcase=world.showcase(),
    )
    heads = [row.words for row in parse(page).find("tr", css="part")]
    assert heads[4:7] == [
        "Cold positions (20 samples)",
        "Cold positions, few training interactions (20 samples)",
        "Cold positions, no training interactions (0 samples)",
    ]
    assert heads[-1] == "Cold positions (20 samples)", "in the tests"
    row = [cell.text for cell in _comparison_rows(page)["Cold positions"]["shop-sasrec"]]
    assert [row[1], row[5], row[0]] == ["0.1000", "0.0500", "–"]
    assert page.count("there is no such sample") == 1
    (line,) = parse(page).find("p", css="protocol")
    assert line.words.endswith(f"(evaluate.cold_positions: {mode}).")
    assert ("whose very pairs the models were trained on" in line.words) == (mode == "literal")
    assert ("validation and test positions with a cold item" in line.words) == (mode == "heldout")
    assert "take users as wholes, each with all of their samples" in page


def test_nothing_is_said_of_cold_positions_that_are_not_ranked(page: str) -> None:
    assert "old positions" not in page


def test_runs_are_listed_before_their_metrics(page: str) -> None:
    table = parse(page).find("section", ident="comparison")[0].find("table")[0]
    rows = [
        [cell.words for cell in row.walk() if cell.tag in ("th", "td")] for row in table.find("tr")
    ]
    assert rows == [
        ["Run", "Model", "Text feature", "Image feature", "Starts from", "Seed",
         "Pre-training", "Fine-tuning"],
        ["shop-popularity", "popularity", "–", "–", "–", "2020", "–", "–"],
        ["shop-sasrec", "sasrec", "–", "–", "random weights", "2020", "–", "30 epochs, best 27"],
        ["shop-mp4sr", "mp4sr", "sentences", "pictures", "shop-mp4sr", "2020",
         "40 epochs, best 39", "24 epochs, best 21"],
    ]  # fmt: skip


@pytest.mark.usefixtures("drawn_once")
def test_a_run_that_learned_nothing_is_marked_and_no_other(world: World) -> None:
    popularity, sasrec, mp4sr = runs()
    lost = dict.fromkeys(("recall@20_random", "recall@20_popularity"), [9.0] * 40)
    (one,) = pretrainings()
    marked = replace(mp4sr, pretraining=replace(one, history={**one.history, **lost}))
    page = render_page(
        title="x",
        datasets=[],
        runs=[popularity, sasrec, marked],
        protocol=PROTOCOL,
        showcase=world.showcase(),
    )
    outline = parse(page)
    marks = {row.words: row.find("span", css="warning") for row in outline.find("tr")}
    ((row, (mark,)),) = [(words, found) for words, found in marks.items() if found]
    assert row.startswith("shop-mp4sr")
    assert mark.words == "no better than a random ranking (9.0000)"
    assert "recall@20_random" not in outline.text


@pytest.mark.usefixtures("drawn_once")
def test_settings_that_contradict_each_other_are_told_once(world: World) -> None:
    elsewhere = [replace(run, dataset="other") for run in runs()]
    page = render_page(
        title="x",
        datasets=[],
        runs=[*runs(), *elsewhere],
        protocol=replace(PROTOCOL, contradictions=["this, but that; set <those>"]),
        showcase=world.showcase(),
    )
    (told,) = parse(page).find("p", css="warning")
    assert told.words == "this, but that; set <those>"


def test_legends_name_the_runs_that_are_drawn_and_no_others(page: str) -> None:
    legends = {
        figure.find("figcaption")[0].text: [name.text for name in figure.find("bdi")]
        for figure in parse(page).find("figure")
    }
    everybody = [run.name for run in runs()]
    assert legends["shop: NDCG@10 by history length"] == everybody
    assert legends["shop: loss in pre-training"] == everybody[2:]
    assert legends["shop: loss in fine-tuning"] == everybody[1:]
    assert legends["shop-mp4sr: nip in pre-training"] == everybody[2:]
