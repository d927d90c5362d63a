"""`mmrec …`, or `python -m mmrec …`: finds the command and hands it the rest of the line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from mmrec.cli.commands import COMMANDS, load
from mmrec.command import call

_WIDTH: Final = max(map(len, COMMANDS)) + 2
_ASKS_FOR_HELP: Final = ("-h", "--help", "help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that a command line names."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in _ASKS_FOR_HELP:
        sys.stdout.write(_help())
        return
    for words in (2, 1):
        name = " ".join(given[:words])
        if name in COMMANDS:
            _call(name, given[words:])
            return
    if any(name.startswith(f"{given[0]} ") for name in COMMANDS):
        _of_group(given)
        return
    found = f"no such command{_near(given[0])}"
    sys.stderr.write(f"error: mmrec {given[0]}: {found}; see mmrec --help\n")
    sys.exit(2)


def _call(name: str, arguments: Sequence[str]) -> None:
    try:
        call(load(name), f"mmrec {name}", arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "mmrec":
            raise
        sys.exit(
            f"error: the package {error.name} is not installed for {sys.executable}; `make "
            "environment` installs all into .venv, `mmrec doctor` says what else is missing"
        )


def _of_group(given: Sequence[str]) -> None:
    """Show the commands that begin with the first word; which is wrong, but for help."""
    shown = _listed([name for name in COMMANDS if name.startswith(f"{given[0]} ")])
    if given[1:2] and given[1] in _ASKS_FOR_HELP:
        sys.stdout.write(shown)
        return
    found = f"no command '{given[1]}'" if given[1:] else "a word is missing"
    sys.stderr.write(f"error: mmrec {given[0]}: {found}; there are\n\n{shown}")
    sys.exit(2)


def _help() -> str:
    return (
        "usage: mmrec <command> …\n\n"
        "Features and sequential recommendation, driven by DVC. `dvc repro` runs the pipeline;\n"
        "this is what stands beside it, in the folder of the project.\n\n"
        f"{_listed(COMMANDS)}\n"
        "`mmrec <command> --help` says what each takes. MMREC_LOG=debug shows tracebacks.\n"
    )


def _listed(names: Iterable[str]) -> str:
    return "".join(f"  {name:{_WIDTH}}{COMMANDS[name].line}\n" for name in names)


def _near(word: str) -> str:
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
