"""`python -m mmrec.compare`: figures of rows by hand, and one message for what cannot be had."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ruamel.yaml import YAML
from scipy import stats

from mmrec import schemas
from mmrec.compare import rows as rows_of_a_command
from mmrec.compare.__main__ import main
from mmrec.data.protocol import FIGURES
from mmrec.evaluation.significance import holm_adjusted
from mmrec.io import write_json, write_table
from mmrec.paths import Paths
from mmrec.run_paths import cold_ranks_of

ROOT = Path(__file__).parents[2]
NUM_USERS = 30
RUNS = ("plain-1", "plain-2", "better-1", "better-2", "other-1")
BY_TIME = {"name": "temporal", "validation": 0.8, "test": 0.9, "targets": "all"}
PROTOCOL = {
    "dataset": "demo",
    "mask_history": True,
    "cold_positions": None,
    "tie_order": "random",
    "tie_seed": 1,
    "split": BY_TIME,
    "tied_share": 0.2,
    "later_training_share": 0.0,
    "later_training_share_of_items": 0.0,
}


def ranks(seed: int, worst: int) -> pa.Table:
    """A `RANKS` table whose rows are in no order; every third target is cold."""
    generator = np.random.default_rng(seed)
    users = generator.permutation(NUM_USERS)
    columns = {
        "user_index": users,
        "target": users + 1,
        "rank": generator.integers(1, worst, NUM_USERS),
        "target_is_cold": users % 3 == 0,
        "target_training_count": users,
        "history_length": users + 2,
    }
    return pa.table(columns).cast(schemas.RANKS)


TABLES = {
    name: ranks(place, worst)
    for place, (name, worst) in enumerate(zip(RUNS, (40, 40, 12, 12, 35), strict=True))
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose runs are evaluated: a model from two seeds, another, a third from one."""
    data = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    models = {"plain": "sasrec", "better": "transitions", "other": "itemknn"}
    for run in RUNS:
        kind, seed = run.split("-")
        data["runs"][run] = {
            **data["runs"]["demo-sasrec"],
            "model": models[kind],
            "seed": int(seed),
        }
    data["runs"]["far-1"] = {**data["runs"]["plain-1"], "dataset": "far"}
    data["datasets"]["far"] = data["datasets"]["demo"]
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(data, file)
    for run, table in TABLES.items():
        write_table(table, Paths(tmp_path).run(run).ranks, schemas.RANKS)
        write_json({"protocol": PROTOCOL}, Paths(tmp_path).run(run).all_metrics)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def unevaluated(project: Path) -> None:
    Paths(project).run("better-1").all_metrics.unlink()


def told(**changes: object) -> Callable[[Path], None]:
    """A run whose protocol is another one in these."""

    def damage(project: Path) -> None:
        metrics = Paths(project).run("better-1").all_metrics
        write_json({"protocol": PROTOCOL | changes}, metrics)

    return damage


def without_a_protocol(project: Path) -> None:
    write_json({"all": {}}, Paths(project).run("better-1").all_metrics)


def on_other_users(project: Path) -> None:
    table = TABLES["better-1"].slice(1)
    write_table(table, Paths(project).run("better-1").ranks, schemas.RANKS)


def as_it_is(project: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (
            as_it_is,
            ["plain-1", "beter-1"],
            r"no run 'beter-1' in params\.yaml; there are better-1, ",
        ),
        (as_it_is, ["plain-1"], "found one row, plain-1; name at least two"),
        (as_it_is, ["plain-1", "far-1"], "several datasets.* 'far-1' is of 'far'"),
        (as_it_is, ["plain-1", "plain-1"], "'plain-1' is named twice"),
        (as_it_is, ["a=plain-1,plain-1", "better-1"], "a run is named twice"),
        (as_it_is, ["a=plain-1,", "better-1"], "'a=plain-1,': expected a run, or name=run,run"),
        (as_it_is, ["=plain-1", "better-1"], "'=plain-1': expected a run"),
        (
            as_it_is,
            ["a=plain-1,better-2", "better-1"],
            "'better-2' has model transitions, 'plain-1' has sasrec; a row is one thing",
        ),
        (as_it_is, ["a=plain-1,demo-sasrec,plain-2", "better-1"], "'demo-sasrec' is not evaluated"),
        (as_it_is, ["plain-1", "better-1", "--metric", "hr@10"], "--metric: found 'hr@10', allow"),
        (as_it_is, ["plain-1", "better-1", "--reference", "x"], "allowed: plain-1, better-1"),
        (as_it_is, ["plain-1", "better-1", "--part", "cold_positions"], "evaluate.cold_positions"),
        (as_it_is, ["plain-1", "better-1", "--part", "hot"], "--part: found 'hot', allowed: all, "),
        (unevaluated, ["plain-1", "better-1"], "not evaluated .*run `dvc repro evaluate@better-1`"),
        (
            told(mask_history=False),
            ["plain-1", "better-1"],
            r"other protocols \(mask_history: True and False\); run `dvc repro evaluate@plain-1",
        ),
        (told(tie_order="file"), ["plain-1", "better-1"], r"\(tie_order: random and file\)"),
        (told(tie_seed=2), ["plain-1", "better-1"], r"\(tie_seed: 1 and 2\)"),
        (
            told(split=BY_TIME | {"targets": "last"}),
            ["plain-1", "better-1"],
            r"\(split: .*'targets': 'all', .* and .*'targets': 'last', .*\)",
        ),
        (without_a_protocol, ["plain-1", "better-1"], "protocol: Field required.* run the stage"),
        (on_other_users, ["plain-1", "better-1"], "ranked on other users or held-out items"),
    ],
)
def test_what_cannot_be_compared_is_one_message(
    project: Path, damage: Callable[[Path], None], arguments: list[str], message: str
) -> None:
    damage(project)
    with pytest.raises(SystemExit, match=rf"^error: .*{message}"):
        main(arguments)


@pytest.mark.parametrize("figure", FIGURES)
def test_what_is_counted_of_the_data_is_no_protocol(
    project: Path, capsys: pytest.CaptureFixture[str], figure: str
) -> None:
    told(**{figure: PROTOCOL[figure] + 0.1})(project)
    main(["plain-1", "better-1"])
    assert "30 users" in capsys.readouterr().out


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


def test_a_part_of_one_user_is_refused(project: Path) -> None:
    for run in ("plain-1", "better-1"):
        table = TABLES[run].sort_by("user_index").slice(0, 3)  # a cold target among them
        write_table(table, Paths(project).run(run).ranks, schemas.RANKS)
    with pytest.raises(SystemExit, match="cold targets of 'demo': 1 users, expected at least 2"):
        main(["plain-1", "better-1", "--part", "cold"])


def test_the_example_in_the_docstring() -> None:
    found = doctest.testmod(rows_of_a_command)
    assert found.attempted == 1
    assert found.failed == 0
