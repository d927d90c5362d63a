"""`mmrec doctor`: what of this environment and project is wrong, and what mends it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

HELP: Final = """Look at this environment and at the project in this folder.

What is found is ok, a warning, or wrong; beneath what is not ok stands what mends it. No server is
asked for anything. Exit code 1 if something is wrong."""


def add_arguments(_: argparse.ArgumentParser) -> None:
    """None."""


def run(_: argparse.Namespace) -> None:
    """Examine, and show all findings."""
    from mmrec.doctor.examination import examine
    from mmrec.doctor.finding import as_text

    findings = [*examine(Path())]
    sys.stdout.write(as_text(findings))
    if any(one.state == "wrong" for one in findings):
        sys.exit(1)
