"""Steps of several forms, timed in turn in one process: what the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

Seconds = dict[str, float]


def stopped(do: Callable[[], object]) -> Seconds:
    """What it takes by the clock, and of all processors together."""
    started, processor = time.perf_counter(), time.process_time()
    do()
    return {
        "clock": time.perf_counter() - started,
        "processor": time.process_time() - processor,
    }


def in_rounds(forms: Mapping[str, Callable[[], Seconds]], rounds: int) -> dict[str, list[Seconds]]:
    """What each form takes, a value a round; the first round is one more, and is not counted."""
    taken: dict[str, list[Seconds]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        for name, step in forms.items():
            spent = step()
            print(f"round {number}, {name}: {spent}", flush=True)
            if number:
                taken[name].append(spent)
    return taken
