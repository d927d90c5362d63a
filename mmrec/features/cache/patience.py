"""Waiting for a filesystem far away: as long as something comes, and not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from fsspec.callbacks import Callback

T = TypeVar("T")


class Heartbeat(Callback):  # type: ignore[misc]
    """Handed to a transfer, it notes when bytes last moved."""

    def __init__(self) -> None:
        """Begin now."""
        super().__init__()
        self._last = time.monotonic()

    def call(self, *_: Any, **__: Any) -> None:
        """Something has come."""
        self._last = time.monotonic()

    def silence(self) -> float:
        """Seconds since something came."""
        return time.monotonic() - self._last


def patiently(call: Callable[[Heartbeat], T], seconds: float) -> T:
    """What `call` returns, unless nothing is heard of it for so many seconds.

    Libraries of remotes try again and again at a server that accepts a connection and says
    nothing, for an hour where each has its own timeout and number of trials.

    Args:
        call: given a heartbeat to hand to what it calls.
        seconds: longest silence.

    Raises:
        TimeoutError: nothing was heard; the call is left to itself and ends with the process.
    """
    heartbeat = Heartbeat()
    result: Future[T] = Future()
    finished = threading.Event()

    def work() -> None:
        try:
            result.set_result(call(heartbeat))
        # It is raised again where it is waited for.
        except BaseException as error:
            result.set_exception(error)
        finally:
            finished.set()

    threading.Thread(target=work, daemon=True).start()
    while not finished.wait(max(seconds - heartbeat.silence(), 0)):
        if heartbeat.silence() >= seconds:
            raise TimeoutError(f"no answer for {seconds:g} s")
    return result.result()
