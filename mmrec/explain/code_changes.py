"""The project's code as it is now, and what stages last ran with, in; what differs, out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mmrec.code.closure import PROJECT, Code
from mmrec.code.pipeline import closures
from mmrec.params.pipeline import Params
from mmrec.paths import Paths

_SHOWN = 4


def code_now(params: Params, paths: Paths) -> dict[str, str]:
    """What the stage `code` would write, by path: for each stage or entry, its code."""
    layout = PROJECT._replace(root=paths.root.resolve())
    found = closures(paths.pipeline, params.model_dump(), Code(layout))
    return {name: closure.text for name, closure in found.items()}


def code_change(path: str, recorded: str | None, now: Mapping[str, str], root: Path) -> str:
    """What of a stage's code differs from what it last ran with; empty if nothing does.

    Args:
        path: of the file that stands for its code.
        recorded: MD5 of that file when the stage ran; None if it never did.
        now: as of `code_now`.
        root: of the project.
    """
    if path not in now:
        return f"nothing is known of {path}: is its entry in params.yaml?"
    if hashlib.md5(now[path].encode(), usedforsecurity=False).hexdigest() == recorded:
        return ""
    kept = root / path
    before = kept.read_bytes() if kept.is_file() else b""
    if hashlib.md5(before, usedforsecurity=False).hexdigest() != recorded:
        return "code: not as it last ran with"
    names = _changed_names(before.decode(), now[path])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"code: {', '.join(names[:_SHOWN])}{more}"


def _changed_names(before: str, after: str) -> list[str]:
    """Definitions of either text with another digest, or none, in the other."""
    differing = {*before.splitlines()} ^ {*after.splitlines()}
    return sorted({line.partition(" ")[2] for line in differing})
