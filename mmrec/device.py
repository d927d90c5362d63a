"""Where tensors are computed: the environment's choice, not a setting of the experiment.

Results agree to rounding; CUDA computes the training in bfloat16 where that is safe.
"""

from __future__ import annotations

import os

import torch


def choose_device() -> torch.device:
    """`MMREC_DEVICE` ("cpu", "cuda", "cuda:1", …), else CUDA where there is one, else CPU.

    Raises:
        ValueError: the device is unknown, or CUDA is asked for and not there.
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
    return device
