"""Curves: deterministic, harmless whatever the names, in the page's own colour."""

from __future__ import annotations

import math
import re
import warnings
from xml.etree import ElementTree

import pytest

from mmrec.report.curves import history_length_plots, loss_plots, training_plots
from mmrec.report.plots import Curve, Plot, Style, line_plot, styles
from mmrec.report.runs import RunReport
from tests.report.made_runs import pretrainings, runs

_SVG = "{http://www.w3.org/2000/svg}"


def _plot(title: str = "a title", y: tuple[float, ...] = (3.0, 2.0, 2.5)) -> Plot:
    curves = [Curve("run", range(1, len(y) + 1), y)]
    return line_plot(title, curves, styles(["run"]), x_label="epoch", y_label="loss")


def test_equal_numbers_give_equal_bytes_without_a_date() -> None:
    assert _plot() == _plot()
    assert "date" not in _plot().svg.lower()


def test_two_plots_share_no_id() -> None:
    found = [
        {e.get("id") for e in ElementTree.fromstring(_plot(title).svg).iter() if e.get("id")}
        for title in ("one", "two")
    ]
    assert found[0]
    assert found[1]
    assert not found[0] & found[1]


@pytest.mark.parametrize("title", ['<b> & "x"', "$\\frac{1}{", "日本語 مصباح", "_under"])
def test_hostile_titles_and_labels_are_text(title: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the drawing font lacks some scripts
        curves = [Curve(title, [1, 2], [1, 2])]
        plot = line_plot(title, curves, styles([title]), x_label=title, y_label=title)
    root = ElementTree.fromstring(plot.svg)
    assert root.get("aria-label") == title
    assert title in [element.text for element in root.iter() if element.tag.endswith("text")]


@pytest.mark.parametrize("y", [(1.0,), (math.nan, math.nan), (math.nan, 1.0), (), (math.inf, 1.0)])
def test_short_and_broken_curves_are_drawn(y: tuple[float, ...]) -> None:
    assert "<svg" in _plot(y=y).svg


def _points(path: str) -> list[tuple[float, float]]:
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_mark_stands_at_the_highest_point_of_the_curve() -> None:
    y = (1.0, 2.0, 5.0, 3.0, 4.0, 0.5)
    look = styles(["run"])
    curves = [Curve("run", range(1, 7), y)]
    plot = line_plot("t", curves, look, x_label="epoch", y_label="recall", mark_best=True)
    root = ElementTree.fromstring(plot.svg)
    colour = look["run"].colour.lower()
    (line,) = [
        _points(str(element.get("d")))
        for element in root.iter(f"{_SVG}path")
        if f"stroke: {colour}" in str(element.get("style"))
        and "fill: none" in str(element.get("style"))
    ]
    (mark,) = [
        (float(str(element.get("x"))), float(str(element.get("y"))))
        for element in root.iter(f"{_SVG}use")
        if f"fill: {colour}" in str(element.get("style"))
    ]
    assert len(line) == 6
    assert mark == pytest.approx(line[2], abs=1e-3)
    assert "<use" not in _unmarked(plot, curves, look)


def _unmarked(plot: Plot, curves: list[Curve], look: dict[str, Style]) -> str:
    bare = line_plot(plot.title, curves, look, x_label="epoch", y_label="recall")
    return "".join(
        ElementTree.tostring(element, "unicode")
        for element in ElementTree.fromstring(bare.svg).iter(f"{_SVG}use")
        if look["run"].colour.lower() in str(element.get("style"))
    )


def test_ink_follows_the_page() -> None:
    assert "currentColor" in _plot().svg
    assert "#010203" not in _plot().svg
    assert "font-family" not in _plot().svg


def test_runs_keep_apart_without_colour() -> None:
    looks = styles([f"run-{place}" for place in range(20)])
    assert len(set(looks.values())) == 20
    assert len({look[1:] for look in list(looks.values())[:7]}) == 7


def test_training_is_drawn_for_runs_that_trained() -> None:
    looks = styles([run.name for run in runs()])
    histories = [(run.name, run.finetuning) for run in runs()]
    assert [plot.title for plot in training_plots("shop", "fine-tuning", histories, looks)] == [
        "shop: loss in fine-tuning",
        "shop: validation Recall@20 in fine-tuning",
    ]
    assert training_plots("shop", "fine-tuning", histories[:1], looks) == []


def test_validation_is_drawn_with_the_usual_metric() -> None:
    names = ("recall@5", "recall@10", "recall@20", "recall@50", "ndcg@20", "mrr")
    history = {"epoch": [1, 2], **{name: [0.1, 0.2] for name in names}}
    rare = {"epoch": [1], "recall@10": [0.1]}
    looks = styles(["r", "s"])
    titles = [plot.title for plot in training_plots("d", "x", [("r", history)], looks)]
    assert titles[1:] == ["d: validation Recall@20 in x"]
    both = [("r", history), ("s", rare)]
    titles = [plot.title for plot in training_plots("d", "x", both, looks)]
    assert titles[1:] == ["d: validation Recall@10 in x"]


def test_single_losses_are_drawn_where_there_are_several() -> None:
    looks = styles([run.name for run in runs()])
    assert not any(loss_plots(run.name, "fine-tuning", run.finetuning, looks) for run in runs())
    (one,) = pretrainings()
    plots = loss_plots(one.name, "pre-training", one.history, looks)
    assert [plot.title for plot in plots] == [
        "shop-mp4sr: nip in pre-training",
        "shop-mp4sr: cmcl in pre-training",
    ]


def test_history_length_needs_two_groups_and_skips_empty_ones() -> None:
    empty, full = {"num_users": 0}, {"num_users": 4, "recall@10": 0.5, "ndcg@10": 0.25}
    run = RunReport(
        "r", "d", "m", {"all": full, "history_length": {"1-5": full, "10+": full, "6-9": empty}}
    )
    plots = history_length_plots([run], styles(["r"]))
    assert [plot.title for plot in plots] == [
        "d: Recall@10 by history length",
        "d: NDCG@10 by history length",
    ]
    assert plots[0].svg.index("1-5") < plots[0].svg.index("6-9") < plots[0].svg.index("10+")
    assert history_length_plots([RunReport("r", "d", "m", {"all": full})], styles(["r"])) == []


def test_history_length_axis_counts_users_of_each_group() -> None:
    plot = history_length_plots(runs(), styles([run.name for run in runs()]))[0]
    texts = [e.text for e in ElementTree.fromstring(plot.svg).iter(f"{_SVG}text")]
    assert texts[:6] == ["1-5", "(200)", "6-10", "(500)", "11+", "(243)"]


def test_legend_leaves_out_a_run_without_a_point() -> None:
    curves = [Curve("a", [1, 2], [1.0, math.nan]), Curve("b", [1], [math.nan]), Curve("c", [], [])]
    plot = line_plot("t", curves, styles(["a", "b", "c"]), x_label="x", y_label="y")
    assert plot.names == ("a",)
