"""`python -m mmrec.compare`: one message for what cannot be compared."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrec import schemas
from mmrec.compare import rows as rows_of_a_command
from mmrec.compare.__main__ import main
from mmrec.data.protocol import FIGURES
from mmrec.io import write_json, write_table
from mmrec.paths import Paths
from tests.compare.evaluated import BY_TIME, PROTOCOL, TABLES


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
            r"run 'beter-1': did you mean 'better-1'\? there is better-1, ",
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
