"""docs/tutorial.md as a reader follows it: its blocks, and what they do to a project."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from mmrec.study.workspace import PROJECT

PAGE = PROJECT / "docs" / "tutorial.md"


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    """`sh` of the preparation, `bash` of commands, `text` of what they print, `yaml` of what
    params.yaml shall say there, `python` of a program."""
    text: str
    line: int
    """Of the page, from 1."""


def blocks(page: str) -> list[Block]:
    """All blocks of a page, in order."""
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [Block(one[1], one[2], page[: one.start()].count("\n") + 1) for one in found]


def run(block: Block, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a block of bash or Python in a folder; everything that it printed.

    Raises:
        RuntimeError: it failed; with what it printed.
    """
    command = ["python", "-c"] if block.language == "python" else ["bash", "-eu", "-c"]
    done = subprocess.run(
        [*command, block.text],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"line {block.line} of the page: {block.text}\n{done.stdout}")
    return done.stdout


def change(block: Block, params: Path) -> None:
    """Have params.yaml say what a block of YAML says.

    Raises:
        ValueError: it said so before.
    """
    yaml = YAML()
    found = yaml.load(params)
    _put(found, yaml.load(block.text))
    yaml.dump(found, params)


def _put(section: Any, wanted: Any) -> None:
    for key, value in wanted.items():
        if isinstance(value, dict) and key in section:
            _put(section[key], value)
        elif key in section and section[key] == value:
            raise ValueError(f"{key}: {value} is no change")
        else:
            section[key] = value
