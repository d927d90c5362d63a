"""How much memory a process takes of its own, and how much with the pages of mapped files."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from benchmarks.peers.probe import memory_mib, peak_mib

INTERVAL_S = 0.05


class MemoryClock:
    """Looks at the process's own memory twenty times a second, phase by phase.

    Its own (`RssAnon`) is what the system cannot take back. Resident memory has the pages of
    mapped files besides, which the system drops where others need the room.
    """

    def __init__(self) -> None:
        self.own_mib: dict[str, float] = {}
        self._phase = "start"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def enter(self, phase: str) -> None:
        """What is looked at from now on belongs to this phase."""
        self._look()
        self._phase = phase
        self._look()

    @property
    def peaks(self) -> dict[str, float]:
        """Most of its own, and most resident."""
        return {"own_mib": max(self.own_mib.values()), "resident_mib": peak_mib()}

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._look()
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self._look()

    def _look(self) -> None:
        found = memory_mib("RssAnon")
        self.own_mib[self._phase] = max(self.own_mib.get(self._phase, 0.0), found)
