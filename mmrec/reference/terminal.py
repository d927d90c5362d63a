"""The page of the commands, in Markdown: their parsers in, what each of them takes out."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from mmrec.reference.settings import table

_INTRO: Final = """# Commands

What `mmrec <command> --help` says, of all commands. Many of them are shown at work on
[On the terminal](../terminal.md)."""

_WIDTH: Final = 88
"""Of a usage, whatever the terminal that a site is built on."""


def commands_page(parsers: Iterable[argparse.ArgumentParser]) -> str:
    """The whole page; nothing is run.

    Args:
        parsers: of each command, in the order of the page.
    """
    return "\n\n".join([_INTRO, *(part for one in parsers for part in _command(one, "##"))]) + "\n"


def _command(parser: argparse.ArgumentParser, heading: str) -> Iterator[str]:
    yield f"{heading} {parser.prog}"
    for block in (parser.description or "").split("\n\n"):
        yield f"```text\n{block}\n```" if block.startswith("  ") else _prose(block)
    parser.formatter_class = partial(argparse.RawDescriptionHelpFormatter, width=_WIDTH)
    yield f"```text\n{parser.format_usage().strip()}\n```"
    arguments = [one for one in parser._actions if not isinstance(one, argparse._HelpAction)]
    words = [one for one in arguments if isinstance(one, argparse._SubParsersAction)]
    if rows := [_row(one) for one in arguments if one not in words]:
        yield table(["argument", "takes", "meaning"], rows)
    for action in words:
        said = {choice.dest: choice.help for choice in action._choices_actions}
        for word, inner in action.choices.items():
            inner.description = said[word]
            yield from _command(inner, f"{heading}#")


def _prose(text: str) -> str:
    """Text as Markdown: what is no code in it has no tags."""
    spans = text.split("`")
    spans[::2] = [span.replace("<", "\\<") for span in spans[::2]]
    return "`".join(spans)


def _row(action: argparse.Action) -> list[str]:
    names = action.option_strings or [str(action.metavar or action.dest)]
    return [", ".join(f"`{name}`" for name in names), _takes(action), _said(action)]


def _takes(action: argparse.Action) -> str:
    if action.choices:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    if not action.option_strings or action.nargs == 0:
        return ""
    return f"`{action.metavar or action.dest.upper()}`"


def _said(action: argparse.Action) -> str:
    """Its help; and its default, where that does not stand there in brackets."""
    said = _prose(action.help or "")
    has_value = isinstance(action.default, str) and action.nargs != 0
    if has_value and f"({action.default})" not in said:
        return f"{said} ({action.default})"
    return f"{said}; must be there" if action.required and action.option_strings else said
