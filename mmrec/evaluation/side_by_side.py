"""Chunks of work on a CPU: a core for each of them, and not all cores for one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def side_by_side(
    ranked: Callable[[Tensor], T], chunks: Sequence[Tensor], device: torch.device
) -> Iterator[T]:
    """What is found of chunk after chunk; on a CPU each core has a chunk of its own.

    A chunk is so small that cores which share it wait for each other more than they gain.
    """
    cores = torch.get_num_threads() if device.type == "cpu" else 1
    if cores == 1:
        yield from map(ranked, chunks)
        return
    try:
        with ThreadPoolExecutor(cores, "rank", torch.set_num_threads, (1,)) as pool:
            yield from pool.map(ranked, chunks)
    finally:
        torch.set_num_threads(cores)  # the last to say it decides for threads that are new
