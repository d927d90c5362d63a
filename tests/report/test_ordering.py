"""What stands above the metrics of how data were ordered and split."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmrec.report.page import render_page
from tests.report.made_runs import runs
from tests.report.outline import Node, parse
from tests.report.worlds import PROTOCOL, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.usefixtures("drawn_once")
def test_order_at_equal_times_stands_above_the_metrics(world: World) -> None:
    def above(protocol: dict[str, object]) -> tuple[str, list[str]]:
        told = protocol | {"split": {"name": "leave_one_out"}}
        changed = [replace(run, metrics={**run.metrics, "protocol": told}) for run in runs()]
        page = render_page(
            title="x",
            datasets=[],
            runs=changed,
            protocol=PROTOCOL,
            showcase=world.showcase(),
        )
        (line,) = parse(page).find("p", css="protocol")
        return line.words, [node.words for node in parse(page).find("p", css="warning")]

    line, warnings = above({"tie_order": "item", "tied_share": 0.05})
    assert "in the order of item ids; 5% of the users evaluated have a test item at the" in line
    assert warnings == []
    line, warnings = above({"tie_order": "random", "tie_seed": 2, "tied_share": 0.43})
    assert "in the order of a draw of its own (tie_seed 2); 43% of the users" in line
    (warning,) = warnings
    assert "clean.tie_order (random) decides which of them tests" in warning
    assert "The source has no times" in above({"tie_order": "file"})[0]


@pytest.mark.usefixtures("drawn_once")
def test_the_split_and_what_leaks_stand_above_the_metrics(world: World) -> None:
    by_time = {
        "name": "temporal",
        "validation_begins": "2013-11-01T00:00:00Z",
        "test_begins": "2014-02-01T00:00:00Z",
    }

    def page_of_split(split: dict[str, object], **shares: float) -> Node:
        protocol = {"tie_order": "file", "split": split, **shares}
        changed = [replace(run, metrics={**run.metrics, "protocol": protocol}) for run in runs()]
        return parse(
            render_page(
                title="x",
                datasets=[],
                runs=changed,
                protocol=PROTOCOL,
                showcase=world.showcase(),
            )
        )

    said = {"first": "the first of each", "last": "the last of each", "all": "each is ranked"}
    for targets, words in said.items():
        page = page_of_split({**by_time, "targets": targets}, later_training_share=0.0)
        (line,) = page.find("p", css="protocol")
        assert "before 2013-11-01T00:00:00Z trains" in line.words
        assert "what came from 2014-02-01T00:00:00Z on tests" in line.words
        assert words in line.words
        assert "an interaction that trains, 0.0% are the wrong way round" in line.words
        assert "of pairs of one item" not in line.words
        assert "Leave-one-out" not in page.text
        assert "at least three interactions" not in page.text
    shares = {"later_training_share": 0.434, "later_training_share_of_items": 0.386}
    page = page_of_split({"name": "leave_one_out"}, **shares)
    (line,) = page.find("p", css="protocol")
    assert "Leave-one-out: of every user with at least three interactions" in line.words
    assert "43.4% are the wrong way round" in line.words
    assert "(of pairs of one item 38.6%)" in line.words
