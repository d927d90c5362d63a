"""`dvc exp run` as DVC's users do it, on the shipped params."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml

from mmrec.params.file import load_params
from mmrec.study.workspace import PROJECT
from tests.e2e.small_shop import ran, small_params
from tests.e2e.team import dvc, git, repro, shown


def differences(shipped: Any, wanted: Any, path: str = "") -> Iterator[str]:
    """What `-S` has to be told to get from one params file to another."""
    yield from (f"~{path}{key}" for key in shipped.keys() - wanted.keys())
    for key, value in wanted.items():
        before = shipped.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            yield from differences(before, value, f"{path}{key}.")
        elif value != before:
            yield f"++{path}{key}={value}"


def test_experiments_on_the_shipped_params_run_are_shown_and_applied(
    projects: list[Path], tmp_path: Path
) -> None:
    git(projects[0], "clone", "--quiet", str(projects[0]), str(tmp_path / "bob"))
    bob, cache = tmp_path / "bob", projects[0] / ".dvc" / "cache"
    dvc(bob, "cache", "dir", "--local", str(cache))
    dvc(bob, "checkout")
    # The shipped text as DVC rewrites it for a smaller shop; no stage sees another value.
    params = bob / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", params)
    apply_overrides(params, [*differences(load_yaml(str(params)), small_params())])
    assert load_yaml(str(params)) == small_params()
    git(bob, "commit", "--quiet", "--all", "--message", "as DVC writes it")
    titled = ("-S", "report.title=My shop", "-S", "report.maps=[]")
    output = dvc(bob, "exp", "run", "--name", "here", *titled)
    assert ran(output) == {"report"}
    assert load_params(params).report.title == "My shop"
    dvc(bob, "exp", "run", "--temp", "-S", "report.num_sample_users=1")
    found = shown(bob, "report.num_sample_users")
    assert sorted(found.values()) == ["1", "6"]
    dvc(bob, "exp", "apply", next(name for name, users in found.items() if users == "1"))
    assert load_params(params).report.num_sample_users == 1
    assert ran(repro(bob)) == set()
    # From `none`, which git has there, too.
    faster = ("-S", "models.sasrec.finetune.epochs=1", "finetune@demo-sasrec")
    assert ran(dvc(bob, "exp", "run", "--temp", *faster)) == {"code", "finetune@demo-sasrec"}
