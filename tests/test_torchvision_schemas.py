"""open_clip can be imported whatever torchvision was compiled against."""

from __future__ import annotations

import subprocess
import sys

import torch

from mmrec.torchvision_schemas import define_missing_operators


def test_defining_twice_is_harmless() -> None:
    define_missing_operators()
    define_missing_operators()
    assert hasattr(torch.ops.torchvision, "nms")
    assert hasattr(torch.ops.torchvision, "qnms")


def test_torchvision_imports_in_a_fresh_interpreter() -> None:
    code = (
        "from mmrec.torchvision_schemas import define_missing_operators as define\n"
        "define()\nimport torchvision\ndefine()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
