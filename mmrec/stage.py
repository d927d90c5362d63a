"""What every stage script shares: checked params, log lines, progress, errors in words."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TypeAlias, TypeVar

from tqdm import tqdm

from mmrec.atomic import in_words
from mmrec.io import DataError
from mmrec.params.file import load_params
from mmrec.paths import Paths

Summary: TypeAlias = Mapping[str, object]
"""Counts of a stage: in, out, dropped by reason."""

T = TypeVar("T")

SPINS_PER_CORE = 1000
"""Looks a waiting thread takes at what it waits for before it sleeps; more threads wait longer."""

logger = logging.getLogger(__name__)

_TOO_LITTLE = re.compile(
    "can.?t allocate memory|cannot allocate memory|out of memory|bad_alloc|failed to map segment",
    re.IGNORECASE,
)
_ASKED_FOR = re.compile(
    r"(?:(?:tried to|unable to) allocate|malloc of size) ([\d.,]+(?: \w+)?)", re.IGNORECASE
)
_LOWER = "lower the sizes of this stage in params.yaml"


def share_cores() -> None:
    """Let torch's threads sleep soon when they wait for each other; before torch is imported.

    Left alone they spin for milliseconds. On cores that another job uses as well, the thread
    that they wait for cannot run meanwhile (`benchmarks.shared_machine` has the figures).
    `GOMP_SPINCOUNT` and `OMP_WAIT_POLICY` of the environment win.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS_PER_CORE * (os.cpu_count() or 1)))


def run(main: Callable[..., Summary]) -> None:
    """Run a stage: `main(params, paths, *arguments)`, its arguments from the command line.

    Params are checked before `main` imports anything heavy. An error that a user can mend
    is one message and exit code 1; `MMREC_LOG=debug` adds the traceback.
    """
    started = time.perf_counter()
    share_cores()
    try:
        log_to_stderr(os.environ.get("MMREC_LOG", "info"))
        paths = Paths(Path())
        with memory_for(Path(sys.argv[0]).stem, lower=_LOWER):
            summary = main(load_params(paths.params), paths, *_arguments(main))
    except (DataError, ValueError, OSError) as error:
        logger.debug("the stage failed", exc_info=True)
        sys.exit(f"error: {in_words(error) if isinstance(error, OSError) else error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was left half-written, `dvc repro` continues")
    counts = ", ".join(f"{name} {_readable(value)}" for name, value in summary.items())
    logger.info("%s (%.1f s)", counts or "done", time.perf_counter() - started)


@contextmanager
def memory_for(doing: str, *, lower: str) -> Iterator[None]:
    """Say in words that there was too little memory for what is inside.

    Args:
        doing: what that is.
        lower: the settings that need less.

    Raises:
        DataError: there was too little.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        text = str(error).strip()
        if not (
            isinstance(error, MemoryError)
            or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
            or _TOO_LITTLE.search(text)
        ):
            raise
        size = _ASKED_FOR.search(text)
        asked = f"for {size[1]} more" if size else text.partition("\n")[0]
        raise DataError(
            f"{doing}: out of memory{asked and f' ({asked})'}; free memory, take a machine with "
            f"more of it, or {lower}"
        ) from error


def log_to_stderr(level: str) -> None:
    """Show the project's messages from this level on.

    Raises:
        ValueError: there is no such level.
    """
    allowed = ("debug", "info", "warning", "error")
    if level.lower() not in allowed:
        raise ValueError(f"MMREC_LOG: found '{level}', allowed: {', '.join(allowed)}")
    # Libraries are heard when something is wrong.
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    logging.getLogger("mmrec").setLevel(level.upper())


def _arguments(main: Callable[..., Summary]) -> list[str]:
    """The key of the entry that the stage is for, if it has entries."""
    expected = list(signature(main).parameters)[2:]
    if len(sys.argv) - 1 != len(expected):
        raise ValueError(
            f"found {len(sys.argv) - 1} arguments, expected {' '.join(expected) or 'none'}: the "
            "name of an entry of params.yaml, as in dvc.yaml"
        )
    return sys.argv[1:]


def _readable(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} {_readable(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def entry(section: Mapping[str, T], key: str, where: str) -> T:
    """The entry of a params section that a stage was called for.

    Raises:
        ValueError: there is none; names those that exist.
    """
    if key not in section:
        raise ValueError(f"{where}.{key}: no such entry; found: {', '.join(section) or 'none'}")
    return section[key]


def progress(
    items: Iterable[T], *, total: int | None, unit: str, desc: str, shown: bool = True
) -> tqdm[T]:
    """Progress bar with rate and remaining time; silent where there is no terminal."""
    disable = None if shown else True
    return tqdm(items, total=total, unit=unit, desc=desc, disable=disable, leave=False)
