"""The shipped pipeline on a small shop, and what of it ran and came out."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mmrec.study.workspace import PROJECT

LEFT_OUT = ("demo-itemknn", "demo-transitions", "demo-tfidf", "demo-meanvectors")
"""Runs that take time and show nothing of the pipeline that popularity does not."""


def small_params() -> Any:
    """The shipped params, with a small shop, two epochs, fewer runs and maps, and their models."""
    data = YAML(typ="safe").load((PROJECT / "params.yaml").read_text())
    for run in LEFT_OUT:
        del data["runs"][run]
    data["ensembles"] = {}  # of runs that are left out
    trained = {entry["model"] for part in ("pretrainings", "runs") for entry in data[part].values()}
    data["models"] = {name: data["models"][name] for name in sorted(trained)}
    data["report"]["maps"] = ["demo-mp4sr"]
    data["datasets"]["demo"]["source"] |= {"num_items": 150, "num_users": 240}
    for model in data["models"].values():
        for stage in ("pretrain", "finetune"):
            if model[stage] is not None:
                model[stage] |= {"epochs": 2, "batch_size": 512}
    return data


def text_of(data: object) -> str:
    stream = io.StringIO()
    YAML(typ="safe").dump(data, stream)
    return stream.getvalue()


def digests(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "data").rglob(pattern))
        if path.is_file()
    }


def ran(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))
