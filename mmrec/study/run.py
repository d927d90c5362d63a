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

from ruamel.yaml import YAML

from mmrec.io import write_json, write_text
from mmrec.params.study import StudyParams
from mmrec.paths import Paths
from mmrec.study.convergence import convergence_markdown, convergence_values, write_curves
from mmrec.study.expansion import expand
from mmrec.study.figure import write_figure
from mmrec.study.losses import losses_markdown, losses_values, write_losses
from mmrec.study.markdown import study_markdown, weights_markdown
from mmrec.study.runs import StudyRuns, read_runs
from mmrec.study.spent import spent_markdown, spent_values
from mmrec.study.tables import Cells, StudyCell, part_sizes, study_cells
from mmrec.study.workspace import make_workspace, stream


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
    ensembles = ["evaluate_ensemble"] if study.ensembles else []
    stream(folder, "-m", "dvc", "repro", "evaluate", *ensembles)
    return read_runs(study, expanded, Paths(folder), project)


def write_results(name: str, study: StudyParams, runs: StudyRuns, folder: Path) -> str:
    """Write `<name>.md`, `.json` and `.png`; returns the tables.

    Of a study of convergence also `<name>_validation.png`, of losses `<name>_losses.png`.
    """
    ranks, curves = runs.ranks, runs.curves
    cells = study_cells(study, ranks)
    sections = [
        study_markdown(name, study, cells, part_sizes(study, ranks), runs.protocols),
        convergence_markdown(study, curves) if study.convergence else "",
        losses_markdown(runs.losses) if study.losses else "",
        weights_markdown(study, runs.weights),
        spent_markdown(study, runs.spent),
    ]
    text = "\n".join(filter(None, sections))
    content: dict[str, object] = {
        "study": study.model_dump(mode="json"),
        "cells": _values(cells),
        "protocols": runs.protocols,
        "ensembles": runs.weights,
        "spent": spent_values(runs.spent),
    }
    if study.convergence:
        content["convergence"] = convergence_values(study, curves)
    if study.losses:
        content["losses"] = losses_values(runs.losses)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(text, folder / f"{name}.md")
    write_json(content, folder / f"{name}.json")
    write_figure(study, cells, folder / f"{name}.png")
    if study.convergence:
        write_curves(study, curves, folder / f"{name}_validation.png")
    if study.losses:
        write_losses(study, runs.losses, folder / f"{name}_losses.png")
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
