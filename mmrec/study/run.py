"""A study in a workspace of its own: `dvc repro` of its runs, then their ranks as tables.

The workspace shares DVC's cache and the feature cache with the project: what the project has
crawled, encoded or trained is restored. It stays (`.mmrec/studies/<name>`), so that another
seed or row trains only that.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from mmrec import schemas
from mmrec.evaluation.lists import list_cutoffs
from mmrec.io import read_json, read_table, write_json, write_text
from mmrec.params.study import StudyParams
from mmrec.paths import Paths
from mmrec.run_paths import cold_ranks_of
from mmrec.study.convergence import (
    Curves,
    convergence_markdown,
    convergence_values,
    read_curve,
    write_curves,
)
from mmrec.study.expansion import Names, expand
from mmrec.study.figure import write_figure
from mmrec.study.markdown import study_markdown
from mmrec.study.tables import Cells, StudyCell, StudyRanks, part_sizes, study_cells
from mmrec.study.workspace import make_workspace, stream


class StudyRuns(NamedTuple):
    """What the runs of a study have left.

    Attributes:
        ranks: of each row.
        curves: validations of each row, where the study asks for convergence.
    """

    ranks: StudyRanks
    curves: Curves


def run_study(name: str, study: StudyParams, project: Path) -> StudyRuns:
    """Train and evaluate what is missing; returns what the runs of its rows have left.

    Args:
        name: of the study, and of its workspace.
        study: its rows.
        project: whose code, cache and sources are taken.

    Raises:
        StudyError: the base is missing or has not what the rows name.
        SystemExit: the params are refused or a stage failed; it has said why.
    """
    expanded = expand(study, project)
    text = io.StringIO()
    YAML(typ="safe").dump(expanded.params, text)
    folder = make_workspace(
        project / ".mmrec" / "studies" / name,
        text.getvalue(),
        _folders(project / "data" / "sources"),
        encoders=_folders(project / "data" / "encoders"),
        cache=_cache(project),
    )
    stream(folder, "-m", "mmrec.params")
    stream(folder, "-m", "dvc", "repro", "evaluate")
    return _read_runs(study, expanded.runs, Paths(folder))


def _read_runs(study: StudyParams, names: Names, paths: Paths) -> StudyRuns:
    runs = {row: [paths.run(name) for name in of_row] for row, of_row in names.items()}
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
        row: [read_json(run.all_metrics)["lists"]["all"] for run in of_row]
        for row, of_row in runs.items()
        if list_cutoffs(study.columns)
    }
    curves = {
        row: [read_curve(run.finetune_history, study.columns[0]) for run in of_row]
        for row, of_row in runs.items()
        if study.convergence
    }
    return StudyRuns(StudyRanks(held_out, cold_positions, lists), curves)


def write_results(name: str, study: StudyParams, runs: StudyRuns, folder: Path) -> str:
    """Write `<name>.md`, `.json` and `.png`; returns the tables.

    Of a study of convergence also `<name>_validation.png`.
    """
    ranks, curves = runs
    cells = study_cells(study, ranks)
    text = study_markdown(name, study, cells, part_sizes(study, ranks))
    content: dict[str, object] = {"study": study.model_dump(mode="json"), "cells": _values(cells)}
    if study.convergence:
        text += "\n" + convergence_markdown(study, curves)
        content["convergence"] = convergence_values(study, curves)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(text, folder / f"{name}.md")
    write_json(content, folder / f"{name}.json")
    write_figure(study, cells, folder / f"{name}.png")
    if study.convergence:
        write_curves(study, curves, folder / f"{name}_validation.png")
    return text


def _values(cells: Cells) -> dict[str, object]:
    return {
        part: {
            row: {
                metric: {"values": list(cell.values), "gain": cell.gain, **_tested(cell)}
                for metric, cell in of_row.items()
            }
            for row, of_row in rows.items()
        }
        for part, rows in cells.items()
    }


def _tested(cell: StudyCell) -> dict[str, float | None]:
    """The test of a cell as JSON; nothing is known of one that is compared with none."""
    if cell.compared is None:
        return dict.fromkeys(("p_value", "holm", "effect_size"))
    test, holm = cell.compared
    return {"p_value": test.p_value, "holm": holm, "effect_size": test.effect_size}


def _folders(parent: Path) -> dict[str, Path]:
    """What git leaves alone, and a workspace would lack."""
    found = parent.iterdir() if parent.is_dir() else iter(())
    return {path.name: path for path in found if path.is_dir()}


def _cache(project: Path) -> Path:
    """Where DVC keeps what the project has made."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    return project / done.stdout.strip()
