"""Virtual environments of the peers below `build/peers`, made once from exact pins."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

from mmrec.study.workspace import PROJECT

FOLDER = PROJECT / "build" / "peers"
PINS = Path(__file__).parent


class UnavailableError(Exception):
    """A peer cannot be installed here; says why."""


def interpreter(peer: str) -> Path:
    """Python of a peer's environment, installed on the first call.

    torch comes with its dependencies, all else without: RecBole asks for a release of ray that
    cannot be installed beside these, and needs it only to search hyper-parameters.

    Raises:
        UnavailableError: pip refused.
    """
    pins, python = PINS / f"{peer}.txt", FOLDER / peer / "bin" / "python"
    ready = FOLDER / peer / "ready"
    wanted = pins.read_text(encoding="utf-8")
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        torch = next(line for line in wanted.splitlines() if line.startswith("torch=="))
        venv.create(FOLDER / peer, with_pip=True, clear=True)
        _pip(python, torch, "--constraint", str(pins))
        _pip(python, "--no-deps", "--requirement", str(pins))
        ready.write_text(wanted, encoding="utf-8")
    return python


def _pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UnavailableError(f"pip install {' '.join(arguments)}: {last}")
