"""What every command shares: arguments in; one message and exit code 1 for what can be mended.

A command is a module with `HELP`, `add_arguments(parser)` and `run(arguments)`. Both of its forms,
`mmrec compare` and `python -m mmrec.compare`, come through here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """One command, as its module has it."""

    help: str
    """What it does, for whoever asks it alone."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def parser_of(command: Command, prog: str) -> argparse.ArgumentParser:
    """What a command takes.

    Args:
        command: which.
        prog: how it is called, for its usage.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description=command.help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return parser


def call(command: Command, prog: str, arguments: Sequence[str]) -> None:
    """Run a command from the command line.

    An error that a user can mend is one message and exit code 1; `MMREC_LOG=debug` adds the
    traceback. Arguments that it does not know are exit code 2, as of any program.

    Args:
        command: which.
        prog: how it was called, for its usage.
        arguments: the rest of the command line.
    """
    try:
        command.run(parser_of(command, prog).parse_args(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as `head`, has enough; Python would complain of it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except _of_the_user() as error:
        if os.environ.get("MMREC_LOG") == "debug":
            raise
        sys.exit(f"error: {_in_words(error)}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def _of_the_user() -> tuple[type[Exception], ...]:
    # Only once something is wrong: reading tables is slow to load.
    from mmrec.io import DataError

    return (DataError, ValueError, OSError)


def _in_words(error: Exception) -> str:
    from mmrec.atomic import in_words

    return in_words(error) if isinstance(error, OSError) else str(error)
