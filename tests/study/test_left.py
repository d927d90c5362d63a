"""What runs have left besides ranks: protocols, weights of ensembles and what they took."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmrec.io import read_json, write_json
from mmrec.params.study import StudyParams
from mmrec.paths import Paths, costs_of
from mmrec.study.expansion import expand
from mmrec.study.markdown import weights_markdown
from mmrec.study.run import write_results
from mmrec.study.runs import StudyRuns
from mmrec.study.spent import Steps, read_spent, spent_markdown
from mmrec.study.tables import StudyRanks
from mmrec.study.workspace import PROJECT
from mmrec.training.costs import Cost, CostClock, read_cost
from mmrec.training.finished import RECORD
from tests.compare.evaluated import PROTOCOL
from tests.study.test_tables import RANKS, STUDY

ROWS = {
    "plain": {"model": "mp4sr", "text": "sentences", "image": "clip_image", "pretrained": True},
    "better": {"model": "sasrec"},
    "both": {"ensemble": ["better", "plain"]},
}
MIXED = StudyParams.model_validate({**STUDY.model_dump(), "rows": ROWS})


def cost(seconds: float, *, peak: float = 100.0, whole: bool = True) -> Cost:
    return Cost(seconds, peak, None, "2 of 2 cores", whole)


def test_tables_say_how_data_were_split_and_ordered_and_what_competes(tmp_path: Path) -> None:
    by_file = {**PROTOCOL, "tie_order": "file", "mask_history": False, "tied_share": 0.4}
    by_file["split"] = {"name": "leave_one_out"}
    one = StudyRuns(StudyRanks(RANKS, {}), protocols={"demo": by_file})
    line = write_results("one", STUDY, one, tmp_path).splitlines()[2]
    assert line.startswith("Leave-one-out: of every user")
    assert "in the order of the source's rows; 40% of the users evaluated" in line
    assert line.endswith("What a user has seen competes.")
    both = {"demo": by_file, "far": {**by_file, "mask_history": "zero"}}
    two = write_results("two", STUDY, StudyRuns(StudyRanks(RANKS, {}), protocols=both), tmp_path)
    assert two.splitlines()[2] == f"demo: {line}"
    assert two.splitlines()[4].startswith("far: Leave-one-out")
    assert read_json(tmp_path / "two.json")["protocols"] == both


def test_columns_of_lists_stand_in_the_table_of_all_users_alone(tmp_path: Path) -> None:
    columns = {**STUDY.model_dump(), "columns": ["mrr", "coverage@10"]}
    lists = {row: [{"coverage@10": 0.5}] * 2 for row in RANKS}
    runs = StudyRuns(StudyRanks(RANKS, {}, lists))
    text = write_results("lists", StudyParams.model_validate(columns), runs, tmp_path)
    heads = [line for line in text.splitlines() if line.startswith("|  |")]
    assert heads == ["|  | mrr | gain | coverage@10 | gain |", "|  | mrr | gain |"]


def test_weights_are_told_part_by_part_and_seed_by_seed(tmp_path: Path) -> None:
    weights: dict[str, Any] = {"both": [{"weights": [[[0.25, 0.75]]]}, {"weights": [[[0.5, 0.5]]]}]}
    assert weights_markdown(MIXED, weights).splitlines()[2:] == [
        "- both, better: 0.25, 0.50",
        "- both, plain: 0.75, 0.50",
    ]
    by_count = {"both": [{"weights": [[[0.25, 0.75], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]]}]}
    assert "- both, plain: 0.00–0.75" in weights_markdown(MIXED, by_count)
    ranks = {**RANKS, "both": RANKS["better"]}
    text = write_results("w", MIXED, StudyRuns(StudyRanks(ranks, {}), weights=weights), tmp_path)
    assert weights_markdown(MIXED, weights) in text
    assert read_json(tmp_path / "w.json")["ensembles"] == weights
    assert weights_markdown(STUDY, {}) == ""


def test_costs_are_those_of_the_results_that_lie_there_wherever_they_were_made(
    tmp_path: Path,
) -> None:
    workspace, project = Paths(tmp_path / "workspace"), Paths(tmp_path / "project")
    expanded = expand(MIXED, PROJECT)
    plain, better, both = (workspace.run(f"{row}-3") for row in ("plain", "better", "both"))
    made = {
        workspace.pretraining("plain-3").pretrained / RECORD: project,
        plain.finetuned / RECORD: workspace,
        better.all_metrics: workspace,
        workspace.ensemble_weights("both-3"): workspace,
        both.all_metrics: workspace,
    }
    for number, (record, where) in enumerate(made.items()):
        write_json({"number": number}, record)
        CostClock(costs_of(where)).stop(record)
    write_json({"restored": True}, better.finetuned / RECORD)
    spent = read_spent(expanded, workspace, project)
    known = {row: [cost is not None for cost in steps[0]] for row, steps in spent.items()}
    assert known == {
        "plain": [True, True, False],
        "better": [False, False, True],
        "both": [False, True, True],
    }
    assert spent["plain"][0].training == read_cost(plain.finetuned / RECORD, costs_of(workspace))
    assert [*spent["plain"][1]] == [None, None, None]


def test_a_table_has_the_mean_seconds_and_the_most_memory(tmp_path: Path) -> None:
    spent = {
        "plain": [Steps(cost(1), cost(10, whole=False), None), Steps(cost(2), cost(20), None)],
        "better": [Steps(None, cost(3, peak=1500.4), cost(1)), Steps(None, None, cost(2))],
        "both": [Steps(None, None, None)] * 2,
    }
    text = spent_markdown(MIXED, spent)
    assert "| plain | 1.5 | ≥ 15.0 | – | 100 | – |" in text
    assert "| better | – | 3.0 | 1.5 | 1,500 | – |" in text
    assert "| both | – | – | – | – | – |" in text
    assert "(2 of 2 cores)" in text
    assert "search of its weights" in text
    assert "search of its weights" not in spent_markdown(STUDY, spent)
    assert spent_markdown(MIXED, {"plain": [Steps(None, None, None)]}) == ""
    write_results("s", STUDY, StudyRuns(StudyRanks(RANKS, {}), spent=spent), tmp_path)
    saved = read_json(tmp_path / "s.json")["spent"]
    assert saved["better"][0] == {
        "pretraining": None,
        "training": asdict(cost(3, peak=1500.4)),
        "ranking": asdict(cost(1)),
    }
