"""Sentences on the data and the machine of a measurement."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> str:
    """Cores and processor; nothing that tells this machine from others like it."""
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe_data(file: Path) -> str:
    """Name and size of a sequence file."""
    lines = [line.split()[1:] for line in file.read_text(encoding="utf-8").splitlines()]
    items = {item for line in lines for item in line}
    return (
        f"{file.name}: {len(lines):,} users, {len(items):,} items, "
        f"{sum(map(len, lines)):,} interactions"
    )
