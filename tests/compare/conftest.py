"""A project whose runs are evaluated."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mmrec import schemas
from mmrec.io import write_json, write_table
from mmrec.paths import Paths
from tests.compare.evaluated import PROTOCOL, RUNS, TABLES

ROOT = Path(__file__).parents[2]


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
