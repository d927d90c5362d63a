"""The first recommendation: what of the tutorial is timed, and what a block of YAML changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from benchmarks.first_recommendation import Step, steps, table
from benchmarks.tutorial_page import PAGE, Block, blocks, change, run


def test_steps_go_from_the_files_to_the_first_recommendation() -> None:
    found = list(steps(PAGE.read_text()))
    assert found[0].text.startswith("mmrec demo tables")
    assert found[-1].text.startswith("mmrec recommend")
    assert [one.text for one in found].count("dvc repro\n") == 1
    assert {one.language for one in found} == {"bash", "yaml"}


def test_blocks_know_their_line() -> None:
    first, second = blocks("# Page\n\n```bash\nls\n```\n\n```text\nfile\n```\n")
    assert first == Block("bash", "ls\n", 3)
    assert second == Block("text", "file\n", 7)


def test_a_block_of_yaml_changes_and_adds_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("a: {b: 1, c: 2}  # kept\nd: {}\n")
    change(Block("yaml", "a: {b: 3}\nd: {e: 4}\n", 1), params)
    assert "# kept" in params.read_text()
    assert YAML(typ="safe").load(params) == {"a": {"b": 3, "c": 2}, "d": {"e": 4}}
    with pytest.raises(ValueError, match="b: 3 is no change"):
        change(Block("yaml", "a: {b: 3}\n", 1), params)


def test_a_block_that_fails_says_where_it_stands_and_what_it_printed(tmp_path: Path) -> None:
    assert run(Block("bash", "echo said\n", 9), tmp_path, {"PATH": "/usr/bin:/bin"}) == "said\n"
    with pytest.raises(RuntimeError, match=r"line 9 of the page: (?s:.*)before"):
        run(Block("bash", "echo before\nfalse\necho after", 9), tmp_path, {"PATH": "/usr/bin:/bin"})


def test_the_table_has_a_sum() -> None:
    assert table([Step("a", 1.0, 0.5), Step("b", 2.0, 1.0)]).endswith("| **all** | 3.0 | 1.5 |")
