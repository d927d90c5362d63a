"""Ranks in, cells with spread and significance out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mmrec import schemas
from mmrec.io import DataError
from mmrec.params.study import StudyParams
from mmrec.study.figure import write_figure
from mmrec.study.tables import StudyCell, num_members, study_cells, study_markdown

NUM_USERS = 40
STUDY = StudyParams.model_validate(
    {
        "base": "params.yaml",
        "dataset": "demo",
        "text": "none",
        "image": "none",
        "seeds": [3, 4],
        "reference": "plain",
        "columns": ["recall@5", "mrr"],
        "parts": ["all", "cold"],
        "rows": {"plain": {"model": "sasrec"}, "better": {"model": "sasrec"}},
    }
)


def ranks(seed: int, largest: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    order = generator.permutation(NUM_USERS)
    columns = {
        "user_index": order,
        "target": order + 1,
        "rank": generator.integers(1, largest, NUM_USERS),
        "target_is_cold": order % 3 == 0,
        "target_training_count": order,
        "history_length": order + 2,
    }
    return pa.table({name: pa.array(column) for name, column in columns.items()}).cast(
        schemas.RANKS
    )


RANKS = {"plain": [ranks(0, 30), ranks(1, 30)], "better": [ranks(2, 8), ranks(3, 8)]}


def slow(row: str, cold: bool) -> list[list[float]]:
    """Reciprocal ranks of the users of a part, in their order, for each seed."""
    found = []
    for table in RANKS[row]:
        rows = sorted(table.to_pylist(), key=lambda row: row["user_index"])
        found.append([1 / row["rank"] for row in rows if row["target_is_cold"] or not cold])
    return found


@pytest.mark.parametrize("part", ["all", "cold"])
def test_cells_are_means_spreads_and_paired_tests_written_out(part: str) -> None:
    cells = study_cells(STUDY, RANKS)[part]
    plain, better = (slow(row, cold=part == "cold") for row in ("plain", "better"))
    cell = cells["better"]["mrr"]
    means = [float(np.mean(one)) for one in better]
    assert cell.values == pytest.approx(means)
    assert cell.mean == pytest.approx(np.mean(means))
    assert cell.spread == pytest.approx(np.std(means, ddof=1))
    of_users = [np.mean(one, axis=0) for one in (better, plain)]
    assert cell.p_value == pytest.approx(stats.ttest_rel(*of_users).pvalue)
    assert cells["plain"]["mrr"].p_value is None


def test_stars_say_how_sure_a_difference_is() -> None:
    found = [StudyCell((0.1,), p).stars for p in (None, 0.2, 0.05, 0.04, 0.009, 0.0009)]
    assert found == ["", "", "", "*", "**", "***"]
    assert str(StudyCell((0.1, 0.2), 0.04)) == "0.1500 ± 0.0707*"
    assert str(StudyCell((0.1,), None)) == "0.1000"


def test_ranks_of_other_users_are_refused() -> None:
    shorter = {**RANKS, "better": [RANKS["better"][0], RANKS["better"][1].slice(1)]}
    with pytest.raises(DataError, match="the two tables differ in 'user_index'"):
        study_cells(STUDY, shorter)


def test_the_tables_and_the_figure_show_every_row(tmp_path: Path) -> None:
    cells = study_cells(STUDY, RANKS)
    users = {part: num_members(RANKS["plain"][0], part) for part in cells}
    text = study_markdown("tried", STUDY, cells, users)
    assert "40 users, all targets; seeds 3, 4:" in text
    assert "14 users, cold targets" in text
    assert text.count("| better | ") == 2
    assert str(cells["cold"]["better"]["recall@5"]) in text
    write_figure(STUDY, cells, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
