"""All findings about this environment and the project in a folder, in the order of their causes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmrec.doctor.environment import of_packages, of_python, of_torch
from mmrec.doctor.finding import Finding


def examine(project: Path) -> Iterator[Finding]:
    """Look at everything; without its packages only at Python and these."""
    yield from of_python()
    packages = [*of_packages()]
    yield from packages
    if any(one.state == "wrong" for one in packages):
        return
    yield from of_torch()
    # These packages may be among the missing ones.
    from mmrec.doctor.project import of_project

    yield from of_project(project)
