"""The interpreter, the packages and the devices; nothing but Python itself is taken for granted."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from mmrec.doctor.finding import Finding, ok

PROJECT: Final = Path(__file__).parents[2]
_INSTALL: Final = "make environment"
_OLDEST: Final = (3, 11)


def of_python() -> Iterator[Finding]:
    """This interpreter, and whether it is the one that `dvc repro` runs stages with."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST:
        yield Finding("python", "wrong", f"{version}; needs 3.11", "make PYTHON=python3.11")
        return
    yield ok("python", f"{version} ({sys.executable}), {os.cpu_count()} cores")
    activate = Path(sys.executable).parent / "activate"
    mend = f". {activate}" if activate.is_file() else "put its folder first in PATH"
    for name in ("python", "dvc"):
        found = shutil.which(name)
        if found is None:
            yield Finding(f"{name} on PATH", "wrong", "none: stages start as `python -m …`", mend)
        elif not _is_beside(found):
            said = f"{found}, of another environment than this one: stages would run there"
            yield Finding(f"{name} on PATH", "wrong", said, mend)


def _is_beside(program: str) -> bool:
    """Whether a program lies where this interpreter does, or where its environment has its own."""
    own = {Path(sys.executable).parent, Path(sys.prefix) / "bin"}
    return Path(program).parent.resolve() in {folder.resolve() for folder in own}


def of_packages(project: Path = PROJECT) -> Iterator[Finding]:
    """What pyproject.toml asks for, by the versions of constraints.txt."""
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    names = [re.split(r"[\[<>=!~; ]", line)[0] for line in settings["project"]["dependencies"]]
    lines = (project / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        _normal(name): version
        for name, _, version in (line.partition("==") for line in lines if "==" in line)
    }
    missing, others = [], []
    for name in names:
        version = _installed(name)
        wanted = pinned.get(_normal(name), "").split(";")[0].strip()
        if version is None:
            missing.append(name)
        elif wanted and version != wanted.partition("+")[0]:
            others.append(f"{name} {version} (tested: {wanted})")
    if missing:
        yield Finding("packages", "wrong", f"not installed: {', '.join(missing)}", _INSTALL)
    elif others:
        yield Finding("packages", "warning", f"of other versions: {', '.join(others)}", _INSTALL)
    else:
        yield ok("packages", f"all {len(names)}, of the versions in constraints.txt")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def of_torch() -> Iterator[Finding]:
    """Torch, the device that a training would take, and the GPUs there are."""
    try:
        import torch

        from mmrec.device import choose_device
    except (ImportError, OSError) as error:
        yield Finding("torch", "wrong", f"cannot be loaded: {error}", _INSTALL)
        return
    try:
        yield ok("torch", f"{torch.__version__}, works on {choose_device()}")
    except ValueError as error:
        yield Finding("torch", "wrong", str(error), "unset MMREC_DEVICE")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            kind = torch.cuda.get_device_properties(index)
            memory = f"{kind.total_memory / 2**30:.0f} GiB"
            yield ok(f"GPU {index}", f"{kind.name}, {memory}, CUDA {torch.version.cuda}")
    elif Path("/dev/nvidiactl").exists():
        why = "is built for the CPU" if torch.version.cuda is None else "finds no driver for it"
        mend = "install the torch that is built for its CUDA"
        yield Finding("GPU", "warning", f"there is one, but torch {why}", mend)
    else:
        yield ok("GPU", "none; trainings take the CPU")
    yield _of_torchvision()


def _of_torchvision() -> Finding:
    from mmrec.torchvision_schemas import define_missing_operators

    try:
        define_missing_operators()
        import torchvision
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("torchvision", "wrong", f"cannot be loaded: {error}", _INSTALL)
    loads = torchvision.extension._has_ops()
    own = "" if loads else "; its operators are built for another torch, and none is needed"
    return ok("torchvision", f"{torchvision.__version__}{own}")
