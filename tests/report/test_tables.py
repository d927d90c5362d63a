"""Comparisons: what is best, how it is printed, and how histories are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mmrec.io import DataError
from mmrec.report.runs import RunReport, load_history
from mmrec.report.tables import (
    best_values,
    comparison_rows,
    format_comparison,
    headline_metrics,
    list_rows,
    metric_order,
)
from tests.report.made_runs import runs


def test_metrics_are_ordered_by_family_then_cutoff() -> None:
    names = ["mrr", "recall@10", "ndcg@5", "recall@5", "coverage", "mrr@5", "recall@50"]
    assert metric_order(names) == [
        "recall@5", "recall@10", "recall@50", "ndcg@5", "mrr@5", "mrr", "coverage",
    ]  # fmt: skip


def test_every_run_has_a_row_for_each_part() -> None:
    rows = comparison_rows(runs())
    assert [(row.run, row.part) for row in rows[:4]] == [
        ("shop-popularity", part) for part in ("all", "warm", "cold", "new")
    ]
    assert rows[3].size == 0
    assert rows[3].values == {}


def test_groups_by_history_are_in_the_order_of_their_lengths() -> None:
    one = {"num_users": 1, "coverage@10": 0.5}
    groups = dict.fromkeys(["1-5", "11-20", "21+", "6-10"], one)
    run = runs()[0]
    run = replace(run, metrics={**run.metrics, "lists": {"all": one, "history_length": groups}})
    assert [row.part for row in list_rows([run])] == ["all", "1-5", "6-10", "11-20", "21+"]


def test_best_needs_a_competitor_and_a_value_above_zero() -> None:
    rows = [row for row in comparison_rows(runs()) if row.part == "all"]
    assert best_values(rows)["recall@10"] == rows[2].values["recall@10"]
    assert best_values(rows[:1]) == {}
    zero = [row._replace(values={"mrr": 0.0}) for row in rows]
    assert best_values(zero) == {}


def test_headline_is_the_cutoff_nearest_to_ten() -> None:
    row = comparison_rows(runs())[0]
    assert headline_metrics([row]) == ["recall@10", "ndcg@10"]
    assert headline_metrics([row._replace(values={"recall@3": 0.1, "recall@7": 0.2})]) == [
        "recall@7"
    ]


def test_terminal_comparison_is_aligned_and_marks_the_best() -> None:
    text = format_comparison(comparison_rows(runs()))
    header, users, *lines = text.splitlines()
    assert header.split() == [
        "shop:", "all", "Recall@10", "all", "NDCG@10", "warm", "Recall@10", "warm", "NDCG@10",
        "cold", "Recall@10", "cold", "NDCG@10",
    ]  # fmt: skip
    assert users.split() == ["users", "943", "943", "800", "800", "143", "143"]
    assert [line.split()[0] for line in lines] == ["shop-popularity", "shop-sasrec", "shop-mp4sr"]
    assert [line.count("*") for line in lines] == [0, 0, 6]
    assert "0.2100*" in lines[2]
    places = [[i for i, sign in enumerate(line) if sign == "."] for line in lines]
    assert places[0] == places[1] == places[2]


def test_terminal_comparison_copes_with_nothing_and_with_empty_parts() -> None:
    assert format_comparison([]) == "no run has been evaluated\n"
    empty = RunReport("r", "d", "m", {"all": {"num_users": 0}})
    assert format_comparison(comparison_rows([empty])).splitlines() == ["d:", "users", "r"]
    short = RunReport("s", "d", "m", {"all": {"num_users": 2, "recall@5": 0.5}})
    last = format_comparison(comparison_rows([empty, short])).splitlines()[-1]
    assert last.split() == ["s", "0.5000", "–", "–"]


def test_terminal_comparison_counts_samples_where_users_have_several() -> None:
    several = RunReport("r", "d", "m", {"all": {"num_users": 2, "num_samples": 5, "mrr": 0.5}})
    (row,) = comparison_rows([several])
    assert (row.size, row.unit) == (5, "sample")
    assert format_comparison([row]).splitlines()[1].startswith("samples")


def test_terminal_comparison_has_a_block_for_each_dataset() -> None:
    other = RunReport("r", "other", "m", {"all": {"num_users": 2, "mrr": 0.5, "recall@10": 0.25}})
    text = format_comparison(comparison_rows([*runs(), other]))
    assert "\n\nother:" in text


def test_history_is_read_by_column(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,recall@20\n1,2.5,\n2,2.0,0.25\n")
    history = load_history(path)
    assert history["loss"] == [2.5, 2.0]
    assert history["recall@20"][1] == 0.25
    assert history["recall@20"][0] != history["recall@20"][0]


@pytest.mark.parametrize("text", [None, "", "epoch,loss\n"])
def test_missing_or_empty_history_has_no_columns(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "history.csv"
    if text is not None:
        path.write_text(text)
    assert load_history(path) == {}


def test_malformed_history_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n1,2.5\n2,broken\n")
    with pytest.raises(DataError, match=r"history\.csv:3: column 'loss' is 'broken'"):
        load_history(path)
    path.write_text("epoch,loss\n1,2.5\n2\n")
    with pytest.raises(DataError, match=r"history\.csv:3: column 'loss' is None"):
        load_history(path)
    path.write_bytes(b"epoch,loss\n1,\xff\n")
    with pytest.raises(DataError, match=r"history\.csv: not CSV"):
        load_history(path)
