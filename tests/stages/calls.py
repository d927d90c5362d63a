"""Which functions of the project a stage runs, and which modules it imports while it does."""

from __future__ import annotations

import builtins
import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from mmrec.code.closure import PROJECT, Closure
from tests.interpreters import forking, forking_environment

PACKAGES = PROJECT.packages


def is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


class Calls:
    """What ran and was imported, by stage and key: definitions as `module:name`."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.definitions: dict[tuple[str, str], set[str]] = {}
        self.imports: dict[tuple[str, str], set[str]] = {}
        self._root = root
        self._imported: set[str] = set()
        plain = builtins.__import__

        def recorded(name: str, around: Any = None, *rest: Any, **named: Any) -> Any:
            found = plain(name, around, *rest, **named)
            if is_ours(name) and around and is_ours(str(around.get("__name__"))):
                inside = rest[1] if len(rest) > 1 and rest[1] else ()
                names = {name, *(f"{name}.{inner}" for inner in inside)}
                self._imported |= names & sys.modules.keys()
            return found

        patch.setattr(builtins, "__import__", recorded)

    @contextmanager
    def of(self, stage: str, key: str = "") -> Iterator[None]:
        """Record what is imported and run inside."""
        self._imported = set()
        seen: set[CodeType] = set()
        importing = 0

        def look(frame: FrameType, event: str, _: object) -> None:
            nonlocal importing
            if frame.f_code.co_name == "<module>":
                importing += (event == "call") - (event == "return")
            elif event == "call" and not importing:  # which also makes what is never used
                seen.add(frame.f_code)

        threading.setprofile(look)
        sys.setprofile(look)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        self.imports[stage, key] = self._imported
        self.definitions[stage, key] = set(self._definitions(seen))

    def _definitions(self, seen: Set[CodeType]) -> Iterator[str]:
        for code in seen:
            path = Path(code.co_filename)
            if not any(self._root / package in path.parents for package in PACKAGES):
                continue
            if path.suffix != ".py":
                continue  # a template, whose file counts
            is_function = bool(code.co_flags & inspect.CO_OPTIMIZED)  # not the body of a class
            if is_function and not code.co_qualname.startswith("<"):
                parts = path.relative_to(self._root).with_suffix("").parts
                module = ".".join(parts).removesuffix(".__init__")
                if not module.startswith(PROJECT.without_result):
                    yield f"{module}:{code.co_qualname.partition('.')[0]}"


def defined(closure: Closure) -> set[str]:
    """The definitions in a closure, as `module:name`: a case or a field stands for its whole."""
    found = set()
    for line in closure.text.splitlines():
        module, _, name = line.partition(" ")[2].partition(":")
        found.add(f"{module}:{name.partition('[')[0].partition('.')[0]}")
    return found


def importing(root: Path, wanted: Set[frozenset[str]]) -> dict[frozenset[str], set[str]]:
    """Which modules of the project are there when some of them have been imported."""
    order = sorted(wanted, key=sorted)
    done = subprocess.run(
        [forking() / "bin" / "python", "-m", "tests.stages.imported"],
        cwd=root,
        env=forking_environment(),
        input=json.dumps([PACKAGES, [sorted(modules) for modules in order]]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(zip(order, map(set, json.loads(done.stdout)), strict=True))
