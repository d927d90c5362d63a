"""Extractors that actors build: they write down what they do, and die when told to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmrec.data.images import ImageError
from mmrec.features.contract import Fingerprint, FloatArray, TokenStates
from mmrec.io import DataError


@dataclass(frozen=True)
class Orders:
    """What an extractor in an actor is to do besides encoding; fit to travel."""

    log: Path
    """File to which every encoded text is added, by whichever process; None of them shares it."""
    dies_at: str | None = None
    """Text over which the process ends, abruptly."""
    dies_once: bool = True
    refuses: str | None = None
    """Text that is a DataError."""
    seconds: float = 0.0
    """For each text."""
    together: int = 1
    """Processes that must have begun before any of them goes on."""
    version: int = 1

    def build(self) -> Lengths:
        return Lengths(self)

    def build_tokens(self) -> Letters:
        return Letters(self)

    def encoded(self) -> list[str]:
        """All texts that any process has finished, in no order."""
        return [text for path in self.log.glob("*.log") for text in path.read_text().splitlines()]

    def processes(self) -> int:
        return len(list(self.log.glob("*.log")))


class Lengths:
    """Length and last digit of a text."""

    level = "vectors"
    dim = 2
    libraries: dict[str, str] = {"torch": "1+cpu"}  # noqa: RUF012

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.fingerprint = Fingerprint(
            "lengths", orders.version, "m", "a", "w", "p", "pool", normalize=False, dim=2
        )

    def encode(self, contents: Iterable[str]) -> FloatArray:
        return self._noted([[len(text), int(text[-1])] for text in self._read(contents)])

    def _read(self, contents: Iterable[str]) -> list[str]:
        texts = list(contents)
        (self._orders.log / f"{os.getpid()}.begun").touch()
        deadline = time.monotonic() + 60
        while len(list(self._orders.log.glob("*.begun"))) < self._orders.together:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for text in texts:
            time.sleep(self._orders.seconds)
            if text == self._orders.refuses:
                raise DataError(f"'{text}' is refused")
            if text == self._orders.dies_at:
                mark = self._orders.log / "died"
                if not (self._orders.dies_once and mark.exists()):
                    mark.touch()
                    os._exit(1)
        with (self._orders.log / f"{os.getpid()}.log").open("a") as log:
            log.writelines(f"{text}\n" for text in texts)
        return texts

    @staticmethod
    def _noted(rows: list[list[int]]) -> FloatArray:
        return np.array(rows, np.float32).reshape(-1, 2)


class Letters(Lengths):
    """A state per character."""

    def encode(self, contents: Iterable[str]) -> TokenStates:  # type: ignore[override]
        states = [self._noted([[ord(c), len(t)] for c in t]) for t in self._read(contents)]
        return TokenStates.of(states, 2)


def refuse_bytes(data: bytes) -> str:
    raise ImageError(f"bad_{data.decode()}")
