"""Ranks in, cells with spread and significance out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from mmrec import schemas
from mmrec.evaluation.comparison import Comparison
from mmrec.evaluation.lists import FAMILIES, is_list_metric
from mmrec.evaluation.significance import TTest, holm_adjusted
from mmrec.io import DataError
from mmrec.params.study import StudyParams
from mmrec.study.tables import StudyCell, StudyRanks, part_sizes, study_cells

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


def of(held_out: Mapping[str, Sequence[pa.Table]]) -> StudyRanks:
    return StudyRanks(held_out, {})


def slow(row: str, cold: bool) -> list[list[float]]:
    """Reciprocal ranks of the users of a part, in their order, for each seed."""
    found = []
    for table in RANKS[row]:
        rows = sorted(table.to_pylist(), key=lambda row: row["user_index"])
        found.append([1 / row["rank"] for row in rows if row["target_is_cold"] or not cold])
    return found


@pytest.mark.parametrize("part", ["all", "cold"])
def test_cells_are_means_spreads_and_paired_tests_written_out(part: str) -> None:
    cells = study_cells(STUDY, of(RANKS))[part]
    plain, better = (slow(row, cold=part == "cold") for row in ("plain", "better"))
    cell = cells["better"]["mrr"]
    means = [float(np.mean(one)) for one in better]
    assert cell.values == pytest.approx(means)
    assert cell.mean == pytest.approx(np.mean(means))
    assert cell.spread == pytest.approx(np.std(means, ddof=1))
    of_users = [np.mean(one, axis=0) for one in (better, plain)]
    assert cell.compared is not None
    assert cell.compared.test.p_value == pytest.approx(stats.ttest_rel(*of_users).pvalue)
    gains = np.subtract(*of_users)
    assert cell.compared.test.effect_size == pytest.approx(gains.mean() / gains.std(ddof=1))
    assert cell.compared.holm == cell.compared.test.p_value  # of one comparison
    assert cell.gain == pytest.approx(np.mean(better) / np.mean(plain) - 1)
    assert cells["plain"]["mrr"][1:] == (None, None)


def made(p_value: float, *, holm: float = 1.0) -> Comparison:
    return Comparison(TTest(0.1, 0.2, 0.1, 2.0, p_value, 40), holm)


def test_rows_of_a_column_are_corrected_together() -> None:
    rows = {name: {"model": "sasrec"} for name in ("plain", "better", "alike", "other")}
    study = StudyParams.model_validate({**STUDY.model_dump(), "rows": rows})
    made = {**RANKS, "alike": [ranks(4, 25), ranks(5, 25)], "other": [ranks(6, 20), ranks(7, 20)]}
    for part in ("all", "cold"):
        cells = study_cells(study, of(made))[part]
        for metric in study.columns:
            found = {row: cells[row][metric].compared for row in ("better", "alike", "other")}
            p_values = sorted((one.test.p_value, row) for row, one in found.items() if one)
            expected = 0.0
            for times, (p_value, row) in zip((3, 2, 1), p_values, strict=True):
                expected = max(expected, min(1.0, times * p_value))
                compared = found[row]
                assert compared is not None
                assert compared.holm == pytest.approx(expected)


def test_stars_say_how_sure_a_difference_is() -> None:
    found = [StudyCell((0.1,), made(p), 0.0).stars for p in (0.2, 0.05, 0.04, 0.009, 0.0009)]
    assert found == ["", "", "*", "**", "***"]
    assert StudyCell((0.1,), made(0.009, holm=0.04), 0.0).stars == "**†"
    assert StudyCell((0.1,), made(0.009, holm=0.05), 0.0).stars == "**"
    assert str(StudyCell((0.1, 0.2), made(0.04), 0.5)) == "0.1500 ± 0.0707*"
    assert str(StudyCell((0.1,), None, None)) == "0.1000"
    shown = [StudyCell((0.1,), None, gain).percent for gain in (0.1234, -0.5, 0.0, None)]
    assert shown == ["+12.3%", "-50.0%", "+0.0%", ""]


def test_columns_of_lists_have_a_mean_a_spread_and_a_gain_but_no_test() -> None:
    columns = ["mrr", "coverage@10", "diversity_text@10"]
    study = StudyParams.model_validate({**STUDY.model_dump(), "columns": columns})
    lists = {
        "plain": [{"coverage@10": 0.25, "num_users": 40}, {"coverage@10": 0.35}],
        "better": [
            {"coverage@10": 0.4, "diversity_text@10": 0.5},
            {"coverage@10": 0.5, "diversity_text@10": 0.6},
        ],
    }
    cells = study_cells(study, StudyRanks(RANKS, {}, lists))
    assert cells["all"]["better"]["mrr"] == study_cells(STUDY, of(RANKS))["all"]["better"]["mrr"]
    found = cells["all"]["better"]["coverage@10"]
    assert (str(found), found.percent) == ("0.4500 ± 0.0707", "+50.0%")
    assert str(cells["all"]["plain"]["coverage@10"]) == "0.3000 ± 0.0707"
    of_text = cells["all"]["better"]["diversity_text@10"]
    assert (str(of_text), of_text.gain) == ("0.5500 ± 0.0707", None), "plain reads no text"
    assert str(cells["all"]["plain"]["diversity_text@10"]) == "–"
    assert str(cells["cold"]["better"]["coverage@10"]) == "–", "lists are of all users"


def test_every_metric_of_lists_of_a_run_may_be_a_column() -> None:
    names = [*FAMILIES, "diversity_text", "diversity_image"]
    columns = [f"{name}@20" for name in names]
    study = StudyParams.model_validate({**STUDY.model_dump(), "columns": columns})
    assert all(map(is_list_metric, study.columns))


def shop_of(users: range, seed: int, largest: int) -> pa.Table:
    """Ranks of another dataset: of fewer users, none of whom chose a cold item."""
    table = ranks(seed, largest).sort_by("user_index").slice(users.start, len(users))
    warm = pa.array([False] * len(users))
    return table.set_column(table.schema.get_field_index("target_is_cold"), "target_is_cold", warm)


TWO_SHOPS = StudyParams.model_validate(
    {
        **STUDY.model_dump(),
        "datasets": {"small": {"of": "demo", "change": {}}},
        "rows": {
            "plain": {"model": "sasrec"},
            "better": {"model": "sasrec"},
            "plain small": {"model": "sasrec", "dataset": "small", "against": "plain small"},
            "better small": {"model": "sasrec", "dataset": "small", "against": "plain small"},
        },
    }
)
FEW = range(5, 30)
RANKS_OF_TWO = RANKS | {
    "plain small": [shop_of(FEW, 4, 30), shop_of(FEW, 5, 30)],
    "better small": [shop_of(FEW, 6, 8), shop_of(FEW, 7, 8)],
}


def _uncorrected(cells: Mapping[str, StudyCell]) -> list[Any]:
    """All but what depends on how many other comparisons there are."""
    return [
        (cell.values, cell.gain, cell.compared and cell.compared.test) for cell in cells.values()
    ]


def test_a_row_of_another_dataset_is_compared_on_its_own_users() -> None:
    cells = study_cells(TWO_SHOPS, of(RANKS_OF_TWO))
    alone = STUDY.model_copy(update={"reference": "plain"})
    small = {row: RANKS_OF_TWO[f"{row} small"] for row in ("plain", "better")}
    for part in ("all", "cold"):
        by_itself = study_cells(STUDY, of(RANKS))[part]["better"]
        assert _uncorrected(cells[part]["better"]) == _uncorrected(by_itself)
    by_itself = study_cells(alone, of(small))["all"]["better"]
    assert _uncorrected(cells["all"]["better small"]) == _uncorrected(by_itself)
    two = [cells["all"][row]["mrr"].compared for row in ("better", "better small")]
    assert [one and one.holm for one in two] == holm_adjusted(
        [one.test.p_value for one in two if one]
    )
    assert cells["all"]["plain small"]["mrr"].gain is None
    assert part_sizes(TWO_SHOPS, of(RANKS_OF_TWO)) == {
        "all": {"demo": (40, "user"), "small": (25, "user")},
        "cold": {"demo": (14, "user"), "small": (0, "user")},
    }


def test_ranks_of_a_dataset_are_over_the_same_users_and_those_of_two_are_not() -> None:
    mixed = {**RANKS_OF_TWO, "better small": RANKS["better"]}
    with pytest.raises(DataError, match="the two tables differ in 'user_index'"):
        study_cells(TWO_SHOPS, of(mixed))


def test_a_gain_over_nothing_is_none() -> None:
    worst = [table.set_column(2, "rank", pa.array([50] * NUM_USERS)) for table in RANKS["plain"]]
    cells = study_cells(STUDY, of({**RANKS, "plain": worst}))["all"]["better"]
    assert cells["recall@5"].gain is None
    assert cells["mrr"].gain is not None


def test_ranks_of_other_users_are_refused() -> None:
    shorter = {**RANKS, "better": [RANKS["better"][0], RANKS["better"][1].slice(1)]}
    with pytest.raises(DataError, match="the two tables differ in 'user_index'"):
        study_cells(STUDY, of(shorter))
