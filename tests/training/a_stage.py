"""A start of a function of `test_distributed`, as a stage starts its work."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

from mmrec.training import launching
from tests.training import test_distributed


def main(work: str, folder: Path) -> None:
    """In a process group of its own, as a shell has it, that is written down.

    Its processes are forks: what they import is imported already.
    """
    if "RANK" not in os.environ:
        os.setsid()
        (folder / "stage").write_text(str(os.getpid()))
    forked = multiprocessing.get_context("fork")
    launching.multiprocessing.get_context = lambda _: forked  # type: ignore[attr-defined]
    try:
        launching.on_processes(getattr(test_distributed, work), folder)
    except KeyboardInterrupt:
        # As an interpreter ends by one.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
