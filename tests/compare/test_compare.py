"""`python -m mmrec.compare`: figures of rows by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mmrec import schemas
from mmrec.compare.__main__ import main
from mmrec.evaluation.significance import holm_adjusted
from mmrec.io import write_json, write_table
from mmrec.paths import Paths
from mmrec.run_paths import cold_ranks_of
from tests.compare.evaluated import PROTOCOL, TABLES

PARTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "all": lambda row: row["rank"] > 0,
    "cold": lambda row: row["target_is_cold"],
    "5-9": lambda row: 5 <= row["history_length"] <= 9,
    "20+": lambda row: row["history_length"] >= 20,
}


def values(run: str, part: str) -> list[float]:
    """Reciprocal ranks of the users of a part, in their order."""
    rows = sorted(TABLES[run].to_pylist(), key=lambda row: row["user_index"])
    return [1 / row["rank"] for row in rows if PARTS[part](row)]


ROWS = ["plain=plain-1,plain-2", "better=better-1,better-2", "other-1"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("part", PARTS)
def test_figures_are_those_written_out(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*ROWS, "--metric", "mrr", "--part", part, "--json"])
    found = json.loads(capsys.readouterr().out)
    seeds = {
        "plain": [values(run, part) for run in ("plain-1", "plain-2")],
        "better": [values(run, part) for run in ("better-1", "better-2")],
        "other-1": [values("other-1", part)],
    }
    assert (found["dataset"], found["reference"]) == ("demo", "plain")
    assert (found["num_users"], found["num_samples"]) == (len(values("plain-1", part)),) * 2
    p_values = []
    for row, of_seeds in seeds.items():
        own = found["rows"][row]
        means = [float(np.mean(one)) for one in of_seeds]
        assert own["values"] == pytest.approx(means)
        assert own["mean"] == pytest.approx(np.mean(means))
        assert own["standard_deviation"] == (
            pytest.approx(np.std(means, ddof=1)) if len(means) > 1 else None
        )
        if row == "plain":
            assert {own[name] for name in ("difference", "low", "p_value", "holm")} == {None}
            continue
        gains = np.mean(of_seeds, axis=0) - np.mean(seeds["plain"], axis=0)
        assert own["difference"] == pytest.approx(gains.mean())
        assert own["low"] < own["difference"] < own["high"]
        assert own["p_value"] == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
        assert own["effect_size"] == pytest.approx(gains.mean() / gains.std(ddof=1))
        p_values.append(own["p_value"])
    holm = [found["rows"][row]["holm"] for row in ("better", "other-1")]
    assert holm == pytest.approx(holm_adjusted(p_values))


@pytest.mark.usefixtures("project")
def test_table_shows_every_row_and_says_against_what(capsys: pytest.CaptureFixture[str]) -> None:
    main([*ROWS, "--reference", "other-1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "demo, all users, NDCG@10: 30 users"
    heads = ["mean ± sd", "difference", "95 % interval", "p", "p, Holm", "d"]
    assert lines[2].split() == " ".join(heads).split()
    assert [line.split()[0] for line in lines[3:6]] == ["plain", "better", "other-1"]
    assert len(lines[5].split()) == 2, "the reference differs from none"
    assert "±" in lines[3]
    assert "Differences from other-1" in lines[7]
    assert "2 comparisons" in "".join(lines)


def test_cold_positions_are_compared_over_users(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = np.arange(12)
    for run, worst in (("plain-1", 30), ("better-1", 6)):
        made = {
            "user_index": places // 2,
            "target": places + 1,
            "rank": np.random.default_rng(worst).integers(1, worst, 12),
            "target_is_cold": places >= 0,
            "target_training_count": places % 2,
            "history_length": places % 2 + 3,
        }
        results = Paths(project).run(run)
        write_table(pa.table(made).cast(schemas.RANKS), cold_ranks_of(results), schemas.RANKS)
        write_json({"protocol": PROTOCOL | {"cold_positions": "heldout"}}, results.all_metrics)
    main(["plain-1", "better-1", "--part", "cold_positions"])
    assert "12 samples of 6 users" in capsys.readouterr().out
    main(["plain-1", "better-1", "plain-2"])
    assert "30 users" in capsys.readouterr().out, "held-out items are the same either way"


def test_users_with_several_items_held_out_are_counted_in_samples(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("plain-1", "better-1"):
        table = TABLES[run]
        users = pa.array(table["user_index"].to_numpy() // 2, pa.int32())
        changed = table.set_column(0, table.schema.field(0), users)
        write_table(changed, Paths(project).run(run).ranks, schemas.RANKS)
    main(["plain-1", "better-1"])
    text = capsys.readouterr().out
    assert "NDCG@10: 30 samples of 15 users\n" in text
    assert "t-test over users (each with all samples)" in text
    # Every user has one of this part: they are samples all the same.
    main(["plain-1", "better-1", "--part", "cold"])
    assert "NDCG@10: 10 samples of 10 users\n" in capsys.readouterr().out


def lists(*shares: float, **more: float) -> dict[str, Any]:
    of_all = {f"coverage@{place}": share for place, share in enumerate(shares, 1)}
    return {
        "all": {**of_all, **more, "num_users": 30},
        "history_length": {"5-9": {"coverage@1": 0.125}},
    }


def test_what_lists_are_like_stands_below_without_a_test(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {
        "plain-1": lists(0.25, 0.5),
        "plain-2": lists(0.5, 0.75),
        "better-1": lists(0.75, 1.0, **{"diversity_text@1": 0.375}),
    }
    for run, of_run in found.items():
        write_json({"protocol": PROTOCOL, "lists": of_run}, Paths(project).run(run).all_metrics)
    rows = ["plain=plain-1,plain-2", "better-1", "other-1"]
    main(rows)
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "Coverage@1" in line)
    assert head.split("  ")[-1].strip() == "Diversity (text)@1"
    shown = lines[lines.index(head) + 1 : lines.index(head) + 4]
    assert shown[0].split() == ["plain", "0.3750", "±", "0.1768", "0.6250", "±", "0.1768", "–"]
    assert shown[1].split() == ["better-1", "0.7500", "1.0000", "0.3750"]
    assert shown[2].split() == ["other-1", "–", "–", "–"], "evaluated without lists"
    main([*rows, "--part", "5-9", "--json"])
    figures = json.loads(capsys.readouterr().out)["lists"]
    assert figures["better-1"] == {
        "coverage@1": {"values": [0.125], "mean": 0.125, "standard_deviation": None}
    }
    main([*rows, "--part", "cold"])
    assert "Coverage" not in capsys.readouterr().out, "lists are not of targets"


@pytest.mark.usefixtures("project")
def test_a_metric_of_lists_is_none_to_compare_by() -> None:
    with pytest.raises(SystemExit, match=r"coverage@10.*metrics of lists have no test, and stand"):
        main(["plain-1", "better-1", "--metric", "coverage@10"])
