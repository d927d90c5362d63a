"""`mmrec completion SHELL`: a script by which a shell completes commands and their options."""

from __future__ import annotations

import argparse
import sys
from typing import Final

import shtab

from mmrec.cli.commands import COMMANDS, load

HELP: Final = """Print a script by which the shell completes commands and their options.

  bash:  mmrec completion bash > ~/.local/share/bash-completion/completions/mmrec
  zsh:   mmrec completion zsh > "${fpath[1]}/_mmrec\""""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="whose script")


def run(arguments: argparse.Namespace) -> None:
    """Print the script."""
    sys.stdout.write(shtab.complete(whole_parser(), shell=arguments.shell))


def whole_parser() -> argparse.ArgumentParser:
    """All commands in one parser, as completion wants them."""
    parser = argparse.ArgumentParser(prog="mmrec")
    commands = parser.add_subparsers()
    groups: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for name, entry in COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if group and group not in groups:
            groups[group] = commands.add_parser(group, help=f"{group} …").add_subparsers()
        within = groups.get(group, commands)
        load(name).add_arguments(within.add_parser(word, help=entry.line))
    return parser
