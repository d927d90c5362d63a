"""The console script: what it lists, finds, hands on and refuses."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mmrec.cli import commands
from mmrec.cli.commands import COMMANDS, Entry, load
from mmrec.cli.main import main
from mmrec.io import DataError

ROOT = Path(__file__).parents[2]


def test_the_console_script_is_this_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"mmrec": f"{main.__module__}:{main.__name__}"}


def test_every_command_is_on_its_page() -> None:
    page = (ROOT / "docs" / "terminal.md").read_text()
    named = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w ]+)`", line.split("|")[1])
    }
    assert named >= COMMANDS.keys()


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys; sys.argv = ['mmrec', '--help']; from mmrec.cli.main import main; main();"
        "print(*(name for name in sys.modules if name.startswith('mmrec.')));"
        "print(*{'torch', 'polars', 'pyarrow', 'pydantic', 'numpy'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *shown, ours, heavy = done.stdout.split("\n")[:-1]
    assert all(any(line.startswith(f"  {name} ") for line in shown) for name in COMMANDS)
    assert {*ours.split()} == {"mmrec.cli", "mmrec.cli.commands", "mmrec.cli.main", "mmrec.command"}
    assert heavy == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*name.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: mmrec {name} ")
    assert load(name).help.splitlines()[0] in shown


def test_enough_commands_are_tried() -> None:
    assert len(COMMANDS) >= 16


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["explian"], "mmrec explian: no such command (did you mean explain?)"),
        (["features"], "mmrec features: a word is missing; there are"),
        (["features", "exprot"], "mmrec features: no command 'exprot'; there are"),
        (["compare"], "the following arguments are required: ROW"),
    ],
)
def test_a_line_that_is_no_command_is_refused(
    line: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A command that fails with an error of the parameter's kind."""

    class Module:
        HELP = "fails"

        @staticmethod
        def add_arguments(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--why", default="it had to be")

        @staticmethod
        def run(arguments: argparse.Namespace) -> None:
            raise request.param(arguments.why)

    monkeypatch.setitem(sys.modules, "failing", Module)
    monkeypatch.setattr(
        commands, "COMMANDS", entries := {**COMMANDS, "fail": Entry("failing", "fails")}
    )
    monkeypatch.setattr("mmrec.cli.main.COMMANDS", entries)


@pytest.mark.parametrize("failing", [DataError, ValueError, OSError], indirect=True)
@pytest.mark.usefixtures("failing")
def test_what_a_user_can_mend_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMREC_LOG", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["fail", "--why", "a column is missing"])
    assert ended.value.code == "error: a column is missing"
    monkeypatch.setenv("MMREC_LOG", "debug")
    with pytest.raises((DataError, ValueError, OSError)):
        main(["fail"])


@pytest.mark.parametrize("failing", [RuntimeError], indirect=True)
@pytest.mark.usefixtures("failing")
def test_a_fault_of_ours_is_no_message() -> None:
    with pytest.raises(RuntimeError, match="it had to be"):
        main(["fail"])


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mmrec.cli.commands.COMMANDS", {"check": Entry("no_such_package.module", "")}
    )
    with pytest.raises(SystemExit, match="package no_such_package is not installed"):
        main(["check"])


def test_the_shell_completes_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "bash"])
    script = capsys.readouterr().out
    asked = (
        f"{script}\nfor line in 'mmrec ' 'mmrec features ' 'mmrec compare --'; do "
        'COMP_WORDS=($line); [[ $line == *" " ]] && COMP_WORDS+=(""); '
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_mmrec 2>/dev/null; "
        'echo "${COMPREPLY[@]}"; done'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    first, second, third = (set(line.split()) for line in done.stdout.splitlines())
    assert {"compare", "features", "check"} <= first
    assert {"cache", "export"} <= second
    assert {"--metric", "--reference"} <= third
