"""The examples of the library's page run as they stand, on a shop whose names are others."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from mmrec.cli import export, recommend, search, similar
from tests.library.worlds import item

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NAMES = {
    "demo-mp4sr": "sasrec",
    '"demo"': '"shop"',
    "P00012": item(3),
    "P00345": item(7),
    "P00700": item(8),
    "P00999": item(9),
}


def in_the_shop(text: str) -> str:
    for name, own in NAMES.items():
        assert name in PAGE
        text = text.replace(name, own)
    return text


def test_the_examples_run(
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in shop.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in BLOCKS if ".search(" not in block]
    names: dict[str, Any] = {}
    for block in blocks:
        exec(in_the_shop(block), names)
    assert len(blocks) == 6
    assert 0 < names["lists"].height <= 10
    assert names["alike"].height == names["best"].height == 5
    assert not {item(3), item(9)} & {*names["lists"]["item_id"]}
    assert "item_id" in capsys.readouterr().out


def test_the_options_of_the_terminal_are_known() -> None:
    lines = re.findall(r"^    mmrec (\w+) (.*)$", PAGE, re.MULTILINE)
    assert len(lines) == 7
    commands = {"recommend": recommend, "similar": similar, "export": export, "search": search}
    for command, options in lines:
        parser = argparse.ArgumentParser()
        commands[command].add_arguments(parser)
        given = vars(parser.parse_args(shlex.split(options)))
        assert (given.get("run"), given.get("dataset")) in {("demo-mp4sr", None), (None, "demo")}
