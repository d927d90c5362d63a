"""Histories in, how soon each row is as good as another out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from mmrec.io import DataError, read_json
from mmrec.params.study import StudyParams
from mmrec.study.convergence import convergence_markdown, epochs_to_share, read_curve
from mmrec.study.run import write_results
from mmrec.study.runs import StudyRuns
from tests.study.test_tables import RANKS, STUDY, of

CURVES = {
    "plain": [[0.1, 0.185, 0.195, 0.2], [0.1, 0.3, 0.4]],
    "better": [[0.191, 0.3], [0.2, 0.37, 0.1]],
}


def study(share: float = 0.95, **rows: str) -> StudyParams:
    known = {row: {"model": "sasrec", "against": other} for row, other in rows.items()}
    changes = {"convergence": share} | ({"rows": known} if rows else {})
    return StudyParams.model_validate({**STUDY.model_dump(), **changes})


def test_an_epoch_is_the_first_with_the_share_of_the_same_seeds_other_row() -> None:
    # .19 and .38 are 95 % of the best of the reference.
    assert epochs_to_share(study(), CURVES) == {"plain": [3, 3], "better": [1, None]}
    assert epochs_to_share(study(share=0.9), CURVES) == {"plain": [2, 3], "better": [1, 2]}
    assert epochs_to_share(study(share=1.0), CURVES) == {"plain": [4, 3], "better": [2, None]}


def test_a_row_that_is_compared_with_none_is_with_itself() -> None:
    apart = study(plain="plain", better="better")
    assert epochs_to_share(apart, CURVES) == {"plain": [3, 3], "better": [2, 2]}
    assert "validation recall@5 of the row that each is compared with;" in convergence_markdown(
        apart, CURVES
    )


def test_the_table_has_the_epochs_of_each_seed() -> None:
    lines = convergence_markdown(study(), CURVES).splitlines()
    assert lines[0] == (
        "Epochs to 95% of the best validation recall@5 of plain; seeds 3, 4, – where a run ended "
        "before:"
    )
    assert "| | epochs to 95% | of epochs | best |" in lines
    assert "| plain | 3, 3 | 4, 3 | 0.2000, 0.4000 |" in lines
    assert "| better | 1, – | 2, 3 | 0.3000, 0.3700 |" in lines


def test_a_curve_is_the_column_of_a_history(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,recall@5,recall@10\n1,2.5,0.25,0.5\n2,2.25,0.125,0.75\n")
    assert read_curve(path, "recall@10") == [0.5, 0.75]
    with pytest.raises(DataError, match="validation ndcg@7, found epoch, loss, recall@5"):
        read_curve(path, "ndcg@7")
    path.write_text("epoch,learning_rate,loss\n")
    with pytest.raises(DataError, match="found no epoch; name a metric"):
        read_curve(path, "recall@10")


def test_convergence_by_a_metric_of_lists_is_refused_before_anything_is_trained() -> None:
    by_lists = {**study().model_dump(), "columns": ["coverage@10", "recall@5"]}
    with pytest.raises(ValidationError, match=r"found coverage@10, which nothing is validated by"):
        StudyParams.model_validate(by_lists)
    assert StudyParams.model_validate(by_lists | {"columns": by_lists["columns"][::-1]})


def test_results_have_convergence_where_it_is_asked_for(tmp_path: Path) -> None:
    text = write_results("asked", study(), StudyRuns(of(RANKS), CURVES), tmp_path)
    assert text.endswith(convergence_markdown(study(), CURVES))
    assert (tmp_path / "asked_validation.png").read_bytes().startswith(b"\x89PNG")
    found = read_json(tmp_path / "asked.json")["convergence"]
    assert found["better"] == {"epochs": [1, None], "validation": CURVES["better"]}
    write_results("not", STUDY, StudyRuns(of(RANKS), {}), tmp_path)
    assert "convergence" not in read_json(tmp_path / "not.json")
    assert not (tmp_path / "not_validation.png").exists()
