"""Decoding in processes of their own: a picture that kills its decoder costs one picture."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from types import TracebackType
from typing import Self, TypeAlias

from mmrec.data.crawler.decode_worker import LENGTH_BYTES, READY

_BATCH = 16
"""Pictures sent at a time: a message costs more than most pictures."""

_BEHIND_BYTES = 256 << 20

_Question: TypeAlias = tuple[bytes, "asyncio.Future[str]"]


class Decoder:
    """Says of bytes whether they are a picture.

    Args:
        num_processes: that decode.
        module: what they run; answers like `decode_worker`.
    """

    def __init__(
        self, num_processes: int, module: str = "mmrec.data.crawler.decode_worker"
    ) -> None:
        self._num_processes = num_processes
        self._module = module
        self._queue: asyncio.Queue[_Question] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[tuple[bytes, bytes]]] = set()
        self._unanswered: set[asyncio.Future[str]] = set()
        self._held_bytes = 0
        self._broken: BaseException | None = None

    @property
    def is_behind(self) -> bool:
        """Whether so much is waiting that no more should be brought for now."""
        return self._held_bytes > _BEHIND_BYTES

    async def fault(self, data: bytes) -> str:
        """The reason why bytes are no picture; empty if they are one."""
        if self._broken is not None:
            raise self._broken
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._held_bytes += len(data)
        self._unanswered.add(answer)
        self._queue.put_nowait((data, answer))
        try:
            return await answer
        finally:
            self._unanswered.discard(answer)
            self._held_bytes -= len(data)

    def _end(self, worker: asyncio.Task[None]) -> None:
        # By itself, a worker ends only if its process cannot run at all.
        if worker.cancelled():
            return
        self._broken = worker.exception()
        for answer in self._unanswered:
            if self._broken is not None and not answer.done():
                answer.set_exception(self._broken)

    async def _work(self) -> None:
        """Keep one process running, and supplied."""
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                stdin=PIPE,
                stdout=PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                # Ctrl-C is for the crawl, which decides when its decoders end.
                start_new_session=True,
            )
            try:
                await self._supply(process)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                # Closes its pipes, too; a task of its own goes on if the worker is stopped here.
                ending = asyncio.create_task(process.communicate())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
                await asyncio.shield(ending)

    async def _supply(self, process: Process) -> None:
        assert process.stdout is not None
        if await process.stdout.readline() != READY:
            raise RuntimeError(f"python -m {self._module} does not start; see above")
        while await self._ask(process, await self._next_batch()):
            pass

    async def _next_batch(self) -> list[_Question]:
        batch = [await self._queue.get()]
        while len(batch) < _BATCH and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    async def _ask(self, process: Process, batch: list[_Question]) -> bool:
        """Pass on the answers; whether the process lived to give them all."""
        assert process.stdin is not None
        assert process.stdout is not None
        for data, _ in batch:
            process.stdin.write(len(data).to_bytes(LENGTH_BYTES, "big"))
            process.stdin.write(data)
        # If it dies before all is written, the answers say how far it came.
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        for place, (_, answer) in enumerate(batch):
            line = await process.stdout.readline()
            lives = line.endswith(b"\n")
            if not answer.done():
                answer.set_result(line.decode().rstrip("\n") if lives else "decoder_crashed")
            if not lives:
                for question in batch[place + 1 :]:
                    self._queue.put_nowait(question)
                return False
        return True

    async def __aenter__(self) -> Self:
        for _ in range(self._num_processes):
            worker = asyncio.create_task(self._work())
            worker.add_done_callback(self._end)
            self._workers.append(worker)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.gather(*self._ending)
