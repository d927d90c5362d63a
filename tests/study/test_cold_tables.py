"""Ranks of cold positions in, cells of a study out: samples by users, not users."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mmrec import schemas
from mmrec.io import DataError, read_json
from mmrec.params.study import Part, StudyParams
from mmrec.study.figure import _COLOURS
from mmrec.study.run import write_results
from mmrec.study.runs import StudyRuns
from mmrec.study.tables import StudyRanks, study_cells
from tests.study.test_tables import RANKS, STUDY, of

COLD = StudyParams.model_validate(
    {
        **STUDY.model_dump(),
        "parts": ["all", "cold_positions", "cold_positions_few", "cold_positions_new"],
        "cold_positions": "heldout",
    }
)
OWNERS = np.array([0, 0, 0, 1, 2, 2, 3, 4, 4, 4, 5])


def cold_ranks(seed: int, largest: int) -> pa.Table:
    """Ranks of cold positions, out of order; of users 0 to 5, those of user 5 of a new item."""
    order = np.random.default_rng(seed).permutation(len(OWNERS))
    columns = {
        "user_index": OWNERS[order],
        "target": order + 1,
        "rank": np.random.default_rng(seed).integers(1, largest, len(order)),
        "target_is_cold": order >= 0,
        "target_training_count": np.where(OWNERS[order] == 5, 0, 3),
        "history_length": order + 2,
    }
    return pa.table(columns).cast(schemas.RANKS)


COLD_RANKS = {
    "plain": [cold_ranks(0, 30), cold_ranks(1, 30)],
    "better": [cold_ranks(2, 8), cold_ranks(3, 8)],
}


def test_cells_of_cold_positions_are_means_over_samples_tested_over_users() -> None:
    cells = study_cells(COLD, StudyRanks(RANKS, COLD_RANKS))
    assert cells["all"] == study_cells(STUDY, of(RANKS))["all"]
    values = {
        row: [[1 / one["rank"] for one in _in_order(table)] for table in tables]
        for row, tables in COLD_RANKS.items()
    }
    cell = cells["cold_positions"]["better"]["mrr"]
    assert cell.values == pytest.approx([np.mean(one) for one in values["better"]])
    assert cell.gain == pytest.approx(np.mean(values["better"]) / np.mean(values["plain"]) - 1)
    differences = np.mean(values["better"], axis=0) - np.mean(values["plain"], axis=0)
    mean = differences.mean()
    of_users = [sum(differences[user == OWNERS] - mean) for user in range(6)]
    error = np.sqrt(6 / 5 * sum(one**2 for one in of_users)) / len(OWNERS)
    assert cell.compared.test.p_value == pytest.approx(2 * stats.t.sf(abs(mean) / error, df=5))
    few = cells["cold_positions_few"]["better"]["mrr"]
    assert few.values == pytest.approx([np.mean(one[:-1]) for one in values["better"]])
    new = cells["cold_positions_new"]["better"]["mrr"]
    assert new.values == pytest.approx([one[-1] for one in values["better"]])
    assert new.compared is None, "a single user"


def _in_order(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: (row["user_index"], row["history_length"]))


def test_cold_positions_are_counted_in_samples_with_how_they_were_chosen(tmp_path: Path) -> None:
    text = write_results("cold", COLD, StudyRuns(StudyRanks(RANKS, COLD_RANKS), {}), tmp_path)
    lines = text.splitlines()
    assert "40 users, all targets; seeds 3, 4:" in lines
    assert "11 samples, cold positions (heldout); seeds 3, 4:" in lines
    few = "cold positions (heldout) with few training interactions"
    assert f"10 samples, {few}; seeds 3, 4:" in lines
    assert "1 samples, cold positions (heldout) with none; seeds 3, 4:" in lines
    assert "means over the seeds (each with all of its samples), p < .05" in text
    saved = read_json(tmp_path / "cold.json")
    assert saved["study"]["cold_positions"] == "heldout"
    assert saved["cells"].keys() == {*COLD.parts}
    assert (tmp_path / "cold.png").read_bytes().startswith(b"\x89PNG")


def test_a_study_without_a_cold_position_shows_none(tmp_path: Path) -> None:
    nothing = {row: [schemas.RANKS.empty_table()] * 2 for row in RANKS}
    text = write_results("none", COLD, StudyRuns(StudyRanks(RANKS, nothing), {}), tmp_path)
    assert "0 samples, cold positions (heldout); seeds 3, 4:" in text
    assert text.count("| better | – |  | – |  |") == 3


def test_ranks_of_other_cold_positions_are_refused() -> None:
    shorter = {**COLD_RANKS, "better": [COLD_RANKS["better"][0].slice(1), COLD_RANKS["better"][1]]}
    with pytest.raises(DataError, match="the two tables differ in 'user_index'"):
        study_cells(COLD, StudyRanks(RANKS, shorter))


def test_the_figure_has_a_colour_for_every_part() -> None:
    assert len({*_COLOURS}) == len(_COLOURS) == len(get_args(Part))
