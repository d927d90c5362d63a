"""A stage's work on as many processes as the environment says, on this machine or by torchrun."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from mmrec.io import DataError
from mmrec.stage import Summary, log_to_stderr, memory_for
from mmrec.training.distributed import process_group

INTERRUPTED, LOST_CONTACT = 130, 75
"""Exit codes of a process that Ctrl-C ended, and of one that misses another."""
GRACE_SECONDS = 5.0
"""What processes get to end by themselves when one of them has failed."""


BECAUSE_OF_ANOTHER = (LOST_CONTACT, -signal.SIGABRT)
"""How processes end that another's end has surprised; one of torch's threads may abort first."""


def on_processes(work: Callable[..., Summary], *arguments: object) -> Summary:
    """Do the work here, or on `MMREC_PROCESSES` processes; where torchrun started us, as its part.

    Args:
        work: function of a module; of its results the first process's is returned.
        arguments: of the work.

    Raises:
        ValueError: `MMREC_PROCESSES` is no number of processes; or what the work raises.
        ChildProcessError: a process died of something else; the others are ended.
    """
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if size == 1:
            return work(*arguments)
        with process_group(rank, size, "env://"):
            return work(*arguments)
    size = asked_processes()
    return work(*arguments) if size == 1 else _on_children(size, work, arguments)


def asked_processes() -> int:
    """`MMREC_PROCESSES`, by default 1.

    Raises:
        ValueError: it is not a whole number from 1 on.
    """
    text = os.environ.get("MMREC_PROCESSES") or "1"
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"MMREC_PROCESSES={text}: found no whole number from 1 on; set one")
    return int(text)


def _on_children(size: int, work: Callable[..., Summary], arguments: Sequence[object]) -> Summary:
    context = multiprocessing.get_context("spawn")
    processes: list[BaseProcess] = []
    pipes: list[Connection] = []
    with tempfile.TemporaryDirectory() as folder:
        place = (Path(folder) / "meeting").as_uri()
        try:
            for rank in range(size):
                pipe, childs_end = context.Pipe(duplex=False)
                child = (rank, size, place, childs_end, work, arguments)
                process = context.Process(target=_child, args=child, daemon=True)
                process.start()
                childs_end.close()  # so that the pipe ends with the process
                processes.append(process)
                pipes.append(pipe)
            messages = _wait_for(processes, pipes)
            codes = [process.exitcode for process in processes]
        finally:
            _end(processes)
    return _result(messages, codes)


def _child(
    rank: int,
    size: int,
    place: str,
    results: Connection,
    work: Callable[..., Summary],
    arguments: Sequence[object],
) -> None:
    """A process of the training, from its start to its end."""
    _end_with_parent()
    log_to_stderr(os.environ.get("MMREC_LOG", "info"))
    # As torchrun has it; the device is chosen by it.
    os.environ["LOCAL_RANK"] = str(rank)
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
    try:
        memory = memory_for(f"process {rank}", lower="lower MMREC_PROCESSES or batch_size")
        with process_group(rank, size, place), memory:
            summary = work(*arguments)
        if rank == 0:
            results.send(summary)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (DataError, ValueError, OSError) as error:
        # Its frames stay behind in this process; `MMREC_LOG=debug` shows notes with the error.
        error.add_note("".join(traceback.format_exception(error)))
        results.send(error)
        sys.exit(1)
    except RuntimeError as error:
        # One that died takes its connections with it; its own words are the ones to show.
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            sys.exit(LOST_CONTACT)
        raise


def _end_with_parent() -> None:
    """Die when the stage's process does, however that may be."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _wait_for(processes: Sequence[BaseProcess], pipes: Sequence[Connection]) -> list[Any]:
    """What they sent until all have ended, or one has failed and the others had time to notice.

    It is read while they run: a message that its pipe cannot hold keeps a process from ending.
    """
    messages: list[Any] = []
    running, unread = list(processes), list(pipes)
    deadline: float | None = None
    while running and (deadline is None or time.monotonic() < deadline):
        seconds = None if deadline is None else deadline - time.monotonic()
        wait([*unread, *(process.sentinel for process in running)], seconds)
        running = [process for process in processes if process.exitcode is None]
        # After a look at who runs: what an ended one sent is there to be read.
        for pipe in unread.copy():
            if pipe.poll():
                unread.remove(pipe)  # none sends a second message
                with suppress(EOFError, OSError):  # ended without, or in the midst of one
                    messages.append(pipe.recv())
        if deadline is None and any(process.exitcode for process in processes):
            deadline = time.monotonic() + GRACE_SECONDS
    return messages


def _end(processes: Sequence[BaseProcess]) -> None:
    """Leave no process behind; Ctrl-C of a terminal reaches them by itself, and is waited for."""
    interrupted = isinstance(sys.exception(), KeyboardInterrupt)
    deadline = time.monotonic() + (GRACE_SECONDS if interrupted else 0.0)
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exitcode is None:
            process.kill()  # checkpoints are whole at any moment
            process.join()


def _result(messages: Sequence[Any], codes: Sequence[int | None]) -> Summary:
    """The summary of the first process, or the error of the one that ended the others.

    Args:
        messages: what the processes sent.
        codes: with which they ended by themselves; None where they hung.
    """
    errors = [message for message in messages if isinstance(message, Exception)]
    if errors:
        raise errors[0]
    if INTERRUPTED in codes:
        raise KeyboardInterrupt
    failed = [(code in BECAUSE_OF_ANOTHER, rank, code) for rank, code in enumerate(codes) if code]
    if failed:
        _, rank, code = min(failed)  # who lost contact did so because of another
        raise ChildProcessError(
            f"process {rank} of {len(codes)} {_ended(code)}; the others were ended with it. What "
            "it wrote is above; `dvc repro` continues after the last whole epoch"
        )
    summary: Summary = messages[0]
    return summary


def _ended(code: int) -> str:
    if code == LOST_CONTACT:
        return "lost contact with another"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
