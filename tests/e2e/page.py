"""What a page of the documentation shows, against what was printed."""

from __future__ import annotations

import re
from itertools import groupby

from benchmarks.tutorial_page import Block

GAP = "…"
"""On a line of its own any lines, else any text."""
_RANKED = re.compile(r"\s*\d+\s+(\S+)\s+-?\d+\.\d{4}( |$)")
_FIGURE = r"[-−]?\d*\.\d+"
_TOLERANCE = 0.25
"""Trainings move by rounding from machine to machine: a share of a figure, or five hundredths."""


def compare(shown: Block, printed: str) -> None:
    """Fail if what was printed is not what the page shows.

    Words and whole numbers are the same, figures nearly. Of a list that is ranked by scores
    half of the items are: which come last depends on the machine's rounding.
    """
    wanted, found = _rows(shown.text), _rows(printed)
    assert _fits(wanted, found), (
        f"line {shown.line}: the page shows\n{shown.text}\nbut this was printed:\n{printed}"
    )


def _rows(text: str) -> list[str | frozenset[str]]:
    """Lines without the spaces that align them, and the marks of the best; ids of a ranked list."""
    lines = text.replace("*", "").strip("\n").splitlines()
    rows: list[str | frozenset[str]] = []
    for ranked, group in groupby(lines, lambda line: bool(_RANKED.match(line))):
        if ranked:
            rows.append(frozenset(one[1] for one in map(_RANKED.match, group) if one))
        else:
            rows += [" ".join(line.split()) for line in group]
    return rows


def _fits(wanted: list[str | frozenset[str]], found: list[str | frozenset[str]]) -> bool:
    if not wanted or not found:
        return all(row == GAP for row in wanted) and not (found and not wanted)
    if wanted[0] == GAP:
        return any(_fits(wanted[1:], found[start:]) for start in range(len(found) + 1))
    return _alike(wanted[0], found[0]) and _fits(wanted[1:], found[1:])


def _alike(wanted: str | frozenset[str], found: str | frozenset[str]) -> bool:
    if isinstance(wanted, frozenset) or isinstance(found, frozenset):
        return (
            isinstance(wanted, frozenset)
            and isinstance(found, frozenset)
            and len(wanted) == len(found)
            and 2 * len(wanted & found) >= len(wanted)
        )
    parts = re.split(rf"({_FIGURE}|{GAP})", wanted)
    pattern = "".join(
        f"({_FIGURE})" if re.fullmatch(_FIGURE, part) else ".*" if part == GAP else re.escape(part)
        for part in parts
    )
    match = re.fullmatch(pattern, found)
    figures = [part for part in parts if re.fullmatch(_FIGURE, part)]
    return match is not None and all(map(_near, figures, match.groups()))


def _near(wanted: str, found: str) -> bool:
    one, other = (float(text.replace("−", "-")) for text in (wanted, found))
    return abs(one - other) <= max(0.05, _TOLERANCE * abs(one))
