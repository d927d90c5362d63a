"""What the runs of a study have left in its workspace in; all that its results are made of out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmrec import schemas
from mmrec.evaluation.lists import list_cutoffs
from mmrec.io import read_json, read_table
from mmrec.params.study import StudyParams
from mmrec.paths import Paths
from mmrec.run_paths import RunPaths, cold_ranks_of
from mmrec.study.convergence import Curves, read_curve
from mmrec.study.expansion import Expanded
from mmrec.study.losses import RowLosses, read_losses
from mmrec.study.spent import Spent, read_spent
from mmrec.study.tables import StudyRanks
from mmrec.training.finished import read_record

Found = Mapping[str, Mapping[str, Any]]
"""What `all_metrics.json` has under a name, by row."""

Runs = Mapping[str, Sequence[RunPaths]]
"""Of each row, one of each seed."""


@dataclass(frozen=True)
class StudyRuns:
    """What the runs of a study have left.

    Attributes:
        ranks: of each row.
        curves: validations of each row, where the study asks for convergence; of no ensemble.
        protocols: how each dataset was ordered and split, and how it was ranked.
        weights: what is known of the weights of each ensemble, one of each seed.
        spent: what each row took, by seed.
        losses: of each row's trainings, where the study asks for them.
    """

    ranks: StudyRanks
    curves: Curves = field(default_factory=dict)
    protocols: Found = field(default_factory=dict)
    weights: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    spent: Spent = field(default_factory=dict)
    losses: RowLosses = field(default_factory=dict)


def read_runs(study: StudyParams, expanded: Expanded, paths: Paths, project: Path) -> StudyRuns:
    """Read what is there of a study whose stages have run.

    Args:
        study: its rows.
        expanded: what they are in terms of the pipeline.
        paths: of the workspace.
        project: whose results may have been restored there.
    """
    runs = {row: [paths.run(name) for name in of_row] for row, of_row in expanded.runs.items()}
    metrics = {row: [read_json(run.all_metrics) for run in of_row] for row, of_row in runs.items()}
    return StudyRuns(
        _ranks(study, runs, metrics),
        _curves(study, runs),
        {study.dataset_of(row): metrics[row][0]["protocol"] for row in study.rows},
        {row: [found["ensemble"] for found in metrics[row]] for row in study.ensembles},
        read_spent(expanded, paths, Paths(project)),
        _losses(study, runs),
    )


def _ranks(study: StudyParams, runs: Runs, metrics: Mapping[str, Sequence[Any]]) -> StudyRanks:
    held_out = {
        row: [read_table(run.ranks, schemas.RANKS) for run in of_row]
        for row, of_row in runs.items()
    }
    cold_positions = {
        row: [read_table(cold_ranks_of(run), schemas.RANKS) for run in of_row]
        for row, of_row in runs.items()
        if study.cold_positions
    }
    lists = {
        row: [found["lists"]["all"] for found in of_row]
        for row, of_row in metrics.items()
        if list_cutoffs(study.columns)
    }
    return StudyRanks(held_out, cold_positions, lists)


def _curves(study: StudyParams, runs: Runs) -> Curves:
    return {
        row: [read_curve(run.finetune_history, study.columns[0]) for run in runs[row]]
        for row in study.model_rows
        if study.convergence
    }


def _losses(study: StudyParams, runs: Runs) -> RowLosses:
    return {
        row: [
            read_losses(run.finetune_history, read_record(run.finetuned).get("kept_epoch"))
            for run in runs[row]
        ]
        for row in study.model_rows
        if study.losses
    }
