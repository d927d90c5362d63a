"""One thing that was looked at, and how findings are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

State: TypeAlias = Literal["ok", "warning", "wrong"]


class Finding(NamedTuple):
    """What was looked at, and what was found."""

    what: str
    state: State
    """`warning` of what works, but perhaps not as is meant; `wrong` of what will fail."""
    found: str
    mend: str = ""
    """A command, or what to do; of what is not ok."""


def ok(what: str, found: str) -> Finding:
    """A finding of what is as it must be."""
    return Finding(what, "ok", found)


def as_text(findings: Iterable[Finding]) -> str:
    """A line for each, and beneath it what mends it."""
    shown = [*findings]
    width = max((len(one.what) for one in shown), default=0)
    lines = []
    for one in shown:
        lines.append(f"{one.state:8} {one.what:{width}}  {one.found}")
        if one.mend:
            lines.append(f"{'':8} {'':{width}}  -> {one.mend}")
    return "\n".join(lines) + "\n"
