"""Where tensors are computed: the environment's choice, not a setting of the experiment.

Results agree to rounding; CUDA computes the training in bfloat16 where that is safe.
"""

from __future__ import annotations

import os

import torch
from torch import nn


def choose_device() -> torch.device:
    """`MMREC_DEVICE` ("cpu", "cuda", "cuda:1", …), else CUDA where there is one, else CPU.

    Of several processes on a machine ("cuda", or unset) each takes a device of its own.

    Raises:
        ValueError: the device is unknown, CUDA is asked for and not there, or there are more
            processes than devices.
    """
    name = os.environ.get("MMREC_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(
            f"MMREC_DEVICE={name}: no such device; use cpu, cuda or cuda:<n>"
        ) from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"MMREC_DEVICE={name}: torch finds no CUDA device; use cpu or unset it")
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        rank, found = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if rank >= found:
            raise ValueError(
                f"found {found} CUDA devices, but at least {rank + 1} processes on this machine; "
                "start as many as devices, or set MMREC_DEVICE=cpu"
            )
        return torch.device("cuda", rank)
    return device


def compile_if_asked(module: nn.Module) -> None:
    """Let torch compile a module's forward pass if `MMREC_COMPILE` is 1; off by default.

    It takes minutes at first, and a C++ compiler. It pays on a GPU, if at all: on a CPU most of
    the time is spent in products that are as fast without.

    Raises:
        ValueError: the variable is neither 0 nor 1.
    """
    asked = os.environ.get("MMREC_COMPILE") or "0"
    if asked not in {"0", "1"}:
        raise ValueError(f"MMREC_COMPILE={asked}: found neither 0 nor 1; unset it or use one")
    if asked == "1":
        module.compile(dynamic=True)
