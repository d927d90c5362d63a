"""What a full softmax must cost: `python -m benchmarks.softmax_floor <items> <width> <threads>`.

The three matrix products of scores and gradients and a fused softmax in place, for a batch of
1,024 targets, memory reused, nothing else: no targets, no loss, no model. Done for the whole
batch with a row per target, and in chunks of 256 with a row per item; the faster of the two
medians is the floor. Prints seconds per target.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import torch

BATCH, CHUNK, ROUNDS = 1024, 256, 30


def seconds_per_target(num_items: int, width: int) -> float:
    """The floor."""
    torch.manual_seed(0)
    items, queries = torch.randn(num_items, width) / 10, torch.randn(BATCH, width)
    items_grad, queries_grad = torch.zeros_like(items), torch.empty_like(queries)
    memory = torch.empty(BATCH * num_items)

    def whole() -> None:
        scores = memory.view(BATCH, num_items)
        torch.mm(queries, items.T, out=scores)
        torch.softmax(scores, 1, out=scores)
        torch.mm(scores, items, out=queries_grad)
        torch.mm(scores.T, queries, out=items_grad)

    def in_chunks() -> None:
        scores = memory[: CHUNK * num_items].view(num_items, CHUNK)
        for start in range(0, BATCH, CHUNK):
            own = slice(start, start + CHUNK)
            torch.mm(items, queries[own].T, out=scores)
            torch.softmax(scores, 0, out=scores)
            torch.mm(scores.T, items, out=queries_grad[own])
            items_grad.addmm_(scores, queries[own])

    return min(_median_seconds(whole), _median_seconds(in_chunks)) / BATCH


def _median_seconds(step: Callable[[], None]) -> float:
    step()
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
    return median(taken)


if __name__ == "__main__":
    chosen_items, chosen_width, chosen_threads = map(int, sys.argv[1:])
    torch.set_num_threads(chosen_threads)
    print(seconds_per_target(chosen_items, chosen_width))
