"""Too little memory is one message: what was done, how much it asked for, what to lower."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from mmrec.io import DataError
from mmrec.stage import memory_for
from tests.training.tiny import TinyObjective, tiny_train

TOO_MUCH = 1 << 58


def no_room() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


@pytest.mark.parametrize(
    ("ask", "size"),
    [
        (lambda: torch.empty(TOO_MUCH), rf" \(for {TOO_MUCH * 4} bytes more\)"),
        (lambda: np.empty(TOO_MUCH, np.int8), r" \(for 256. PiB more\)"),
        (lambda: pa.allocate_buffer(TOO_MUCH), rf" \(for {TOO_MUCH} .*more\)"),
        (lambda: bytearray(TOO_MUCH), ""),
        (no_room, ""),
    ],
)
def test_what_asks_for_too_much_is_told(ask: Callable[[], object], size: str) -> None:
    with (
        pytest.raises(
            DataError, match=rf"reading: out of memory{size}.*; free memory.* or lower x$"
        ),
        memory_for("reading", lower="lower x"),
    ):
        ask()


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ImportError("no module x")])
def test_another_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), memory_for("reading", lower="lower x"):
        raise error


def test_a_training_says_in_which_epoch_and_what_to_lower(tmp_path: Path) -> None:
    objective = TinyObjective()

    def validate() -> dict[str, float]:
        torch.empty(TOO_MUCH)
        return {}

    with pytest.raises(
        DataError, match=r"^finetune epoch 1: out of memory .* bytes more\); .*lower batch_size"
    ):
        tiny_train(tmp_path, objective, validate)
